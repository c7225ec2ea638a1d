/** As the gateway itself, the same for everyone, with a token that it asked for. */

import { refuse, type Refusal } from '../../model/failure.ts';
import { Secret } from '../../model/secret.ts';
import type { ServerId } from '../../model/target.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Credential } from '../broker.ts';
import type { CredentialMode } from '../mode-broker.ts';
import { obtainForGateway } from './client-credentials.ts';
import { KeptTokens, type KeptToken } from './kept-tokens.ts';
import { OAuthError } from './oauth-error.ts';
import type { OAuthSite } from './oauth-site.ts';

export type GatewayTokenOptions = {
  readonly site: OAuthSite;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly logger: Logger;
};

export interface GatewayToken extends CredentialMode {
  /** The server did not take it: true when another may be had now. */
  rejected(credential: Credential): boolean;
}

const ONLY = '';

export function createGatewayToken({ site, now, logger }: GatewayTokenOptions): GatewayToken {
  const { server } = site;
  const tokens = new KeptTokens({
    obtain: (_name, signal) => obtainForGateway(site, signal, now),
    now,
    onFailure: ({ message: reason }, isGood) => {
      if (isGood)
        logger.warn({ server, reason }, 'a token of the gateway could not be renewed: the old one still serves');
      else logger.warn({ server, reason }, 'no token of the gateway could be obtained');
    },
    maxTokens: 1,
  });
  /** Made once for each token: pools and records know a credential by its version. */
  const made = new WeakMap<KeptToken, Credential>();
  const versions = new WeakMap<Credential, number>();

  const credentialOf = (kept: KeptToken): Credential => {
    let credential = made.get(kept);
    if (credential === undefined) {
      credential = bearerCredential('client-credentials', `${server}/token/${kept.version}`, kept.token.accessToken);
      made.set(kept, credential);
      versions.set(credential, kept.version);
    }
    return credential;
  };

  return {
    obtain(_principal, signal) {
      const kept = tokens.get(ONLY, undefined);
      if (!(kept instanceof Promise)) return credentialOf(kept);
      return waitedFor(kept, signal).then(credentialOf, (error: unknown) => {
        throw unavailable(server, error);
      });
    },
    rejected(credential) {
      const version = versions.get(credential);
      return version !== undefined && tokens.drop(ONLY, version);
    },
  };
}

export const bearerCredential = (kind: Credential['kind'], version: string, token: Secret): Credential => ({
  kind,
  version,
  headers: Object.freeze({ Authorization: new Secret(`Bearer ${token.expose()}`) }),
  env: Object.freeze({}),
});

/** Whoever goes away does not wait; what was asked for is asked for all the same. */
export function waitedFor<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(refuse('cancelled'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** For the caller: whose fault it is, and nothing that only the operator should read. */
export function unavailable(server: ServerId, error: unknown): unknown {
  if (!(error instanceof OAuthError)) return error;
  const isAway = error.fault === 'unreachable';
  return refuse('server-unavailable', {
    message: isAway
      ? `The authorization server of ${server} cannot be reached, so no token was obtained. Try again shortly.`
      : `No token for ${server} could be obtained. Tell the operator: the log says why.`,
    reason: `no token: ${error.message}`,
    cause: error,
  }) satisfies Refusal;
}
