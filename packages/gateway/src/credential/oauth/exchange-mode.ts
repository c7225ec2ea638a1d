/** As each person, with a token that the issuer gives for the one that they came with. Lists are read as the gateway itself. */

import { refuse } from '../../model/failure.ts';
import type { Principal } from '../../model/principal.ts';
import type { Secret } from '../../model/secret.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Credential } from '../broker.ts';
import type { CredentialMode } from '../mode-broker.ts';
import { bearerCredential, createGatewayToken, unavailable, waitedFor } from './client-credentials-broker.ts';
import { KeptTokens, type KeptToken } from './kept-tokens.ts';
import { OAuthError } from './oauth-error.ts';
import { exchangeToken, type ExchangeOptions } from './token-exchange.ts';

export type ExchangeModeOptions = ExchangeOptions & {
  readonly logger: Logger;
  readonly maxPeople?: number;
};

export function createExchangeMode(options: ExchangeModeOptions): CredentialMode {
  const { site, logger, now, maxPeople: maxTokens = 10_000 } = options;
  const { server } = site;
  const ownErrands = createGatewayToken(options);
  const tokens = new KeptTokens<Secret>({
    obtain: (_name, signal, subject) => exchangeToken(options, subject, signal),
    now,
    onFailure: ({ fault, message: reason }, isGood) => {
      // What an issuer refuses to one person is theirs to hear; the rest is the operator's.
      if (fault !== 'refused') logger.warn({ server, reason, isGood }, 'a token could not be exchanged');
    },
    maxTokens,
  });
  /** Made once for each token: pools and records know a credential by its version. */
  const made = new WeakMap<KeptToken, Credential>();
  const keptAs = new WeakMap<Credential, { readonly name: string; readonly version: number }>();

  const credentialOf = (kept: KeptToken, name: string): Credential => {
    let credential = made.get(kept);
    if (credential === undefined) {
      const { token, version } = kept;
      credential = bearerCredential('token-exchange', `${server}/exchange/${version}`, token.accessToken);
      made.set(kept, credential);
      keptAs.set(credential, { name, version });
    }
    return credential;
  };

  return {
    async obtain(principal, signal, subject) {
      // Typed so that it can never call a tool (`authz/permit.ts`).
      if (principal.kind === 'system') return ownErrands.obtain(principal, signal);
      const name = nameFor(principal);
      if (subject === undefined) {
        // A subscription outlives the request that it came with.
        const kept = tokens.good(name);
        if (kept !== undefined) return credentialOf(kept, name);
        throw refuse('needs-login', {
          message: `The server ${server} is called with what its issuer gives for your token, so it takes nobody without one, such as with an API key. Log in with the identity provider.`,
        });
      }
      try {
        return credentialOf(await waitedFor(Promise.resolve(tokens.get(name, subject)), signal), name);
      } catch (error) {
        throw error instanceof OAuthError && error.fault === 'refused'
          ? refuse('needs-login', {
              message: `The issuer gives no token for ${server} for yours. Log in again, or ask the operator whether you may use it.`,
              reason: `no token: ${error.message}`,
              cause: error,
            })
          : unavailable(server, error);
      }
    },
    rejected(credential) {
      const kept = keptAs.get(credential);
      return kept === undefined ? (ownErrands.rejected?.(credential) ?? false) : tokens.drop(kept.name, kept.version);
    },
  };
}

/** One person may come with a narrow token and with a wide one: what was given for the one is not for the other. */
const nameFor = ({ key, clientId, scopes, actors }: Principal): string =>
  JSON.stringify([key, clientId, scopes.toSorted(), actors]);
