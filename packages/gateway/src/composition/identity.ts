/** Who is calling: the authenticator that a configuration asks for. */

import type { FailedAttempts } from '../authn/attempts.ts';
import { createAuthenticator, type BearerAuthenticator } from '../authn/bearer-authenticator.ts';
import type { Config } from '../config/config.ts';
import type { EgressPolicy } from '../egress/address-guard.ts';
import type { Egress } from '../egress/egress.ts';
import type { NoteEvent } from '../model/event.ts';
import type { Endpoint } from '../model/target.ts';
import { createAddressLimiter } from '../quota/address-limiter.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Storage } from './storage.ts';

/** One count for each address, whatever kind of credential failed. */
export function composeFailedAttempts({ identity }: Config): FailedAttempts {
  const { count, periodMs, text } = identity.failedAttempts;
  const burst = Math.ceil(count / 2);
  return createAddressLimiter({ count, periodMs, burst, text, now: () => performance.now() });
}

/** An issuer that the operator named may be inside; where its metadata leads to must be outside. */
export function egressPolicyOf({ identity }: Config): (url: string) => EgressPolicy {
  const named = identity.issuers.flatMap(({ issuer, jwksUri }) => [
    issuer,
    ...(jwksUri === undefined ? [] : [jwksUri]),
  ]);
  const trusted = new Set(named.map((url) => new URL(url).origin));
  return (url) => (trusted.has(new URL(url).origin) ? 'configured' : 'discovered');
}

export type AuthenticatorParts = {
  readonly config: Config;
  readonly publicUrl: string;
  readonly egress: Egress;
  readonly storage: Pick<Storage, 'apiKeys' | 'noteUse'>;
  readonly failedAttempts: FailedAttempts;
  readonly note: NoteEvent;
  readonly logger: Logger;
};

/** By token or API key: the first layer. */
export function composeAuthenticator(parts: AuthenticatorParts): BearerAuthenticator {
  const { config, publicUrl, egress, storage, failedAttempts, note, logger } = parts;
  const { apiKeys, issuers, audience } = config.identity;
  const policyOf = egressPolicyOf(config);
  const endpointUrl = (endpoint: Endpoint): string =>
    endpoint.kind === 'aggregate' ? `${publicUrl}/mcp` : `${publicUrl}/servers/${endpoint.server}/mcp`;
  return createAuthenticator({
    apiKeys,
    storedKeys: { store: storage.apiKeys, noteUse: storage.noteUse },
    issuers,
    // Clients that write a URL as a URL object does end the gateway's own with a slash.
    audiences: (endpoint) =>
      audience === 'gateway' ? [endpointUrl(endpoint), publicUrl, `${publicUrl}/`] : [endpointUrl(endpoint)],
    fetchJson: async (url, signal) => {
      const { body } = await egress.fetchJson(url, {
        policy: policyOf(url),
        maxBytes: 256 * 1024,
        timeoutMs: 900,
        signal,
      });
      return body;
    },
    failedAttempts,
    note,
    now: () => Date.now(),
    log: logger,
  });
}
