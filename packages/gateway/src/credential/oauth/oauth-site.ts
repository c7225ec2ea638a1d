/**
 * One server that wants OAuth: what it is called, who issues tokens for it, and as which client the gateway asks there. Found
 * when it is first needed, and believed for a while; a failure is not remembered.
 */

import type { ReadChallenge } from '../../egress/bearer-challenge.ts';
import type { ServerId } from '../../model/target.ts';
import { findAuthorizationServer, type AuthorizationServer } from './authorization-server.ts';
import type { ClientRegistry } from './client-registry.ts';
import { OAuthError } from './oauth-error.ts';
import type { OAuthWeb } from './oauth-web.ts';
import { challengeOf, findProtectedResource, scopesIn, type ProtectedResource } from './protected-resource.ts';
import type { RegisteredClient } from './registered-client.ts';

export type OAuthSiteOptions = {
  readonly server: ServerId;
  /** Where it is called. */
  readonly endpoint: string;
  readonly issuer?: string;
  readonly resource?: string;
  readonly scopes: readonly string[];
  readonly web: OAuthWeb;
  readonly clients: ClientRegistry;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly rememberMs?: number;
  /** For all that has to be asked to find it out. */
  readonly timeoutMs?: number;
};

export type FoundSite = {
  readonly resource: string;
  readonly authorizationServer: AuthorizationServer;
  /** What to ask for when nothing more is known: the operator's word, the challenge's, or the metadata's. */
  readonly scopes: readonly string[];
};

export interface OAuthSite {
  readonly server: ServerId;
  readonly web: OAuthWeb;
  /** @throws OAuthError */
  find(signal: AbortSignal): Promise<FoundSite>;
  /** @throws OAuthError `unregistered` when it is none there */
  client(at: AuthorizationServer, signal: AbortSignal): Promise<RegisteredClient>;
}

export function createOAuthSite(options: OAuthSiteOptions): OAuthSite {
  const { server, web, clients, now, rememberMs = 10 * 60_000, timeoutMs = 15_000 } = options;
  let known: { readonly found: Promise<FoundSite>; readonly untilMs: number } | undefined;
  return {
    server,
    web,
    async find(signal) {
      if (known === undefined || known.untilMs <= now()) {
        // Everyone who asks meanwhile shares it, so it has a time of its own and ends with nobody's call.
        const found = findSite(options, AbortSignal.timeout(timeoutMs));
        const mine = { found, untilMs: now() + rememberMs };
        known = mine;
        found.catch(() => {
          if (known === mine) known = undefined;
        });
      }
      return untilAborted(known.found, signal);
    },
    client: (at, signal) => clients.clientAt(at, signal),
  };
}

async function findSite(options: OAuthSiteOptions, signal: AbortSignal): Promise<FoundSite> {
  try {
    const { web, endpoint } = options;
    const challenge = await challengeOf(web, endpoint, signal);
    const resource = await findProtectedResource(web, endpoint, challenge, signal);
    const authorizationServer = await findAuthorizationServer(web, issuerOf(options, resource), signal);
    return {
      resource: options.resource ?? resource?.resource ?? canonical(endpoint),
      authorizationServer,
      scopes: scopesOf(options, challenge, resource),
    };
  } catch (error) {
    if (signal.aborted) throw new OAuthError('unreachable', 'who issues its tokens was not found out in time', error);
    throw error;
  }
}

function issuerOf({ issuer, endpoint }: OAuthSiteOptions, resource: ProtectedResource | undefined): string {
  const [first] = resource?.issuers ?? [];
  // Without metadata (2025-03-26, basic/authorization): the server's own origin.
  if (issuer === undefined) return first ?? new URL(endpoint).origin;
  if (resource === undefined || resource.issuers.includes(issuer)) return issuer;
  throw new OAuthError(
    'unsuitable',
    `the server takes tokens of ${resource.issuers.join(', ')}, and the configuration names ${issuer}`,
  );
}

/** MCP 2026-07-28, basic/authorization, Scope Selection Strategy; before it the operator. */
function scopesOf(
  { scopes }: OAuthSiteOptions,
  challenge: ReadChallenge,
  resource: ProtectedResource | undefined,
): readonly string[] {
  if (scopes.length > 0) return scopes;
  return challenge.scope === undefined ? (resource?.scopes ?? []) : scopesIn(challenge.scope);
}

/** MCP 2026-07-28, basic/authorization, Canonical Server URI. */
function canonical(endpoint: string): string {
  const url = new URL(endpoint);
  url.hash = '';
  return url.pathname === '/' && url.search === '' ? url.origin : url.href;
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
