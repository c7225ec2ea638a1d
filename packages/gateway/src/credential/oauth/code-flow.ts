/**
 * A person's consent at a server's authorization server: authorization code with PKCE, for exactly one resource, with the
 * issuer's own name checked in the answer (MCP 2026-07-28, basic/authorization). What comes out is a grant.
 */

import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';

import type { Grant } from '../grant.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { OAuthError } from './oauth-error.ts';
import type { OAuthSite } from './oauth-site.ts';
import { configurationFor } from './registered-client.ts';
import { asOAuthError, readTokens } from './token-answer.ts';

/** What a person agrees to. */
export type ConsentOffer = { readonly issuer: string; readonly resource: string; readonly scopes: readonly string[] };

/** A consent under way, as its browser carries it under our seal. */
export type PendingConsent = {
  readonly issuer: string;
  readonly clientId: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly state: string;
  readonly verifier: string;
};

export type CodeFlowOptions = {
  readonly site: OAuthSite;
  /** Exactly as it is registered. */
  readonly redirectUri: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

export interface CodeFlow {
  /** @param more Scopes beside those that are always asked for. @throws OAuthError */
  offer(more: readonly string[], signal: AbortSignal): Promise<ConsentOffer>;
  /** Where to send the browser. @throws OAuthError */
  begin(
    more: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly url: string; readonly pending: PendingConsent }>;
  /** @param query Of the callback, without its `?`. @throws OAuthError */
  finish(pending: PendingConsent, query: string, signal: AbortSignal): Promise<Grant>;
}

const OFFLINE = 'offline_access';

export function createCodeFlow({ site, redirectUri, now }: CodeFlowOptions): CodeFlow {
  const offered = async (more: readonly string[], signal: AbortSignal) => {
    const { authorizationServer, resource, scopes } = await site.find(signal);
    assertSuitable(authorizationServer);
    // Without it nothing could be renewed (SEP-2207); not every server knows it.
    const offline = authorizationServer.scopes.includes(OFFLINE) ? [OFFLINE] : [];
    const asked = [...new Set([...scopes, ...more, ...offline])];
    return { authorizationServer, offer: { issuer: authorizationServer.issuer, resource, scopes: asked } };
  };

  return {
    async offer(more, signal) {
      return (await offered(more, signal)).offer;
    },
    async begin(more, signal) {
      const { authorizationServer, offer } = await offered(more, signal);
      const client = await site.client(authorizationServer, signal);
      const pending = { ...offer, clientId: client.id, state: randomState(), verifier: randomPKCECodeVerifier() };
      const url = buildAuthorizationUrl(configurationFor(authorizationServer, client, site.web, signal), {
        redirect_uri: redirectUri,
        response_type: 'code',
        resource: offer.resource,
        state: pending.state,
        code_challenge: await calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
        ...(offer.scopes.length === 0 ? {} : { scope: offer.scopes.join(' ') }),
        // OpenID Connect Core section 11: without it there is no offline access.
        ...(offer.scopes.includes(OFFLINE) ? { prompt: 'consent' } : {}),
      });
      return { url: url.href, pending };
    },
    async finish(pending, query, signal) {
      const { authorizationServer } = await site.find(signal);
      // Both were recorded before the browser was sent away: an answer is good for the one that it was asked of.
      if (authorizationServer.issuer !== pending.issuer) throw new OAuthError('invalid', 'it began at another issuer');
      const client = await site.client(authorizationServer, signal);
      if (client.id !== pending.clientId) throw new OAuthError('invalid', 'it began as another client');
      const configuration = configurationFor(authorizationServer, client, site.web, signal);
      const { resource, state, verifier, scopes } = pending;
      try {
        const askedAtMs = now();
        const answer = await authorizationCodeGrant(
          configuration,
          new URL(`${redirectUri}?${query}`),
          { expectedState: state, pkceCodeVerifier: verifier },
          { resource },
        );
        const { tokenEndpoint, revocationEndpoint } = authorizationServer;
        return {
          issuer: pending.issuer,
          tokenEndpoint,
          ...(revocationEndpoint === undefined ? {} : { revocationEndpoint }),
          clientId: client.id,
          resource,
          ...readTokens(answer, scopes, askedAtMs),
        };
      } catch (error) {
        throw asOAuthError(error);
      }
    },
  };
}

/** MCP 2026-07-28, basic/authorization/security-considerations: a server that does not say so has no PKCE. */
function assertSuitable({ issuer, authorizationEndpoint, pkceMethods }: AuthorizationServer): void {
  if (authorizationEndpoint === undefined) {
    throw new OAuthError('unsuitable', `${issuer} names no authorization_endpoint: people cannot consent there`);
  }
  if (!pkceMethods.includes('S256')) {
    throw new OAuthError(
      'unsuitable',
      `${issuer} does not say that it does PKCE with S256, so no code is safe with it`,
    );
  }
}
