/** The authorization server of one server's grants: renews them (RFC 6749 section 6) and revokes them (RFC 7009). */

import { refreshTokenGrant, ResponseBodyError, tokenRevocation, type Configuration } from 'openid-client';

import type { Grant, GrantIssuer } from '../grant.ts';
import { OAuthError } from './oauth-error.ts';
import type { OAuthSite } from './oauth-site.ts';
import { configurationFor, type RegisteredClient } from './registered-client.ts';
import { asOAuthError, readTokens } from './token-answer.ts';

export type GrantIssuerOptions = { readonly site: OAuthSite; readonly now: () => number };

export function createGrantIssuer({ site, now }: GrantIssuerOptions): GrantIssuer {
  return {
    async renew(grant, signal) {
      const { refreshToken, resource, scopes } = grant;
      if (refreshToken === undefined) return { kind: 'refused', why: 'the issuer gave nothing to renew it with' };
      try {
        const configuration = await configurationOf(site, grant, signal);
        const askedAtMs = now();
        const answer = await refreshTokenGrant(configuration, refreshToken.expose(), { resource });
        const tokens = readTokens(answer, scopes, askedAtMs);
        const { expiresAtMs: _before, ...kept } = grant;
        return { kind: 'renewed', grant: { ...kept, ...tokens, refreshToken: tokens.refreshToken ?? refreshToken } };
      } catch (error) {
        // Only this is a word about the grant; everything else is about us, the network or the server.
        if (error instanceof ResponseBodyError && error.error === 'invalid_grant' && error.status < 500) {
          return { kind: 'refused', why: asOAuthError(error).message };
        }
        return isLostClient(error)
          ? { kind: 'refused', why: `the gateway is another client at ${grant.issuer} by now` }
          : { kind: 'unavailable', why: asOAuthError(error).message };
      }
    },
    async revoke(grant, signal) {
      if (grant.revocationEndpoint === undefined) return false;
      try {
        const configuration = await configurationOf(site, grant, signal);
        // The refresh token takes what was issued on it along (RFC 7009 section 2.1); not every server does so.
        const { refreshToken, accessToken } = grant;
        if (refreshToken !== undefined) {
          await tokenRevocation(configuration, refreshToken.expose(), { token_type_hint: 'refresh_token' });
        }
        await tokenRevocation(configuration, accessToken.expose(), { token_type_hint: 'access_token' });
        return true;
      } catch {
        return false;
      }
    },
  };
}

class LostClientError extends Error {}
const isLostClient = (error: unknown): boolean => error instanceof LostClientError;

/**
 * The server as it is found now, when that is still the grant's issuer: else as it was when the person consented, so that a
 * server that is away, or names another by now, keeps nobody from renewing or revoking.
 */
async function configurationOf(site: OAuthSite, grant: Grant, signal: AbortSignal): Promise<Configuration> {
  const found = await site.find(signal).catch((error: unknown) => {
    if (error instanceof OAuthError) return undefined;
    throw error;
  });
  const { issuer, tokenEndpoint, revocationEndpoint, clientId } = grant;
  const current = found?.authorizationServer;
  if (current?.issuer === issuer) {
    const client = await site.client(current, signal);
    if (client.id === clientId) return configurationFor(current, client, site.web, signal);
    // It was registered for the moment, by a process that has ended: without a secret it can be spoken for all the same.
    return configurationFor(current, publicly(clientId, current.authenticationMethods), site.web, signal);
  }
  const metadata = {
    issuer,
    token_endpoint: tokenEndpoint,
    ...(revocationEndpoint === undefined ? {} : { revocation_endpoint: revocationEndpoint }),
  };
  const client = await site
    .client(
      {
        ...NOTHING_KNOWN,
        issuer,
        tokenEndpoint,
        revocationEndpoint,
        metadata,
      },
      signal,
    )
    .catch(() => publicly(clientId, ['none']));
  const known = client.id === clientId ? client : publicly(clientId, ['none']);
  return configurationFor({ metadata, authenticationMethods: [] }, known, site.web, signal);
}

function publicly(id: string, methods: readonly string[]): RegisteredClient {
  if (!methods.includes('none')) throw new LostClientError();
  return { id, proof: { kind: 'none' } };
}

const NOTHING_KNOWN = {
  authorizationEndpoint: undefined,
  registrationEndpoint: undefined,
  scopes: [],
  authenticationMethods: [],
  grantTypes: [],
  pkceMethods: [],
  takesMetadataDocuments: false,
} as const;
