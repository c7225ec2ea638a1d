/** A token for the gateway itself: RFC 6749 section 4.4, with a secret or a signed assertion (RFC 7523 section 2.2). */

import { clientCredentialsGrant } from 'openid-client';

import type { OAuthSite } from './oauth-site.ts';
import { configurationFor } from './registered-client.ts';
import { asOAuthError, readTokens, type ObtainedToken } from './token-answer.ts';

/** @throws OAuthError */
export async function obtainForGateway(
  site: OAuthSite,
  signal: AbortSignal,
  now: () => number,
): Promise<ObtainedToken> {
  const { authorizationServer, resource, scopes } = await site.find(signal);
  const client = await site.client(authorizationServer, signal);
  const configuration = configurationFor(authorizationServer, client, site.web, signal);
  try {
    const askedAtMs = now();
    const scope = scopes.length === 0 ? {} : { scope: scopes.join(' ') };
    const answer = await clientCredentialsGrant(configuration, { resource, ...scope });
    return readTokens(answer, scopes, askedAtMs);
  } catch (error) {
    throw asOAuthError(error);
  }
}
