/** A token for the server on behalf of somebody, for the one that they came with: RFC 8693 section 2. */

import { genericGrantRequest } from 'openid-client';

import type { Secret } from '../../model/secret.ts';
import { OAuthError, quoted } from './oauth-error.ts';
import type { OAuthSite } from './oauth-site.ts';
import { configurationFor } from './registered-client.ts';
import { asOAuthError, readTokens, type ObtainedToken } from './token-answer.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
/** RFC 8693 section 3: says how it is written, and not that it is for something else. */
const JWT = 'urn:ietf:params:oauth:token-type:jwt';

export type ExchangeOptions = {
  readonly site: OAuthSite;
  /** How the issuer calls the server, where it does not go by the resource. */
  readonly audience?: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** The caller's token goes to the token endpoint of the issuer, which the operator named, and nowhere else. @throws OAuthError */
export async function exchangeToken(
  { site, audience, now }: ExchangeOptions,
  subject: Secret,
  signal: AbortSignal,
): Promise<ObtainedToken> {
  const { authorizationServer, resource, scopes } = await site.find(signal);
  const client = await site.client(authorizationServer, signal);
  const configuration = configurationFor(authorizationServer, client, site.web, signal);
  try {
    const askedAtMs = now();
    const answer = await genericGrantRequest(configuration, GRANT, {
      subject_token: subject.expose(),
      subject_token_type: ACCESS_TOKEN,
      requested_token_type: ACCESS_TOKEN,
      resource,
      ...(audience === undefined ? {} : { audience }),
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    });
    const { issued_token_type: type } = answer;
    if (type !== undefined && type !== ACCESS_TOKEN && type !== JWT) {
      throw new OAuthError('unsuitable', `a token of the type ${quoted(type)} is not for calling a server`);
    }
    const tokens = readTokens(answer, scopes, askedAtMs);
    // An issuer that gives back what it got would have us pass the caller's own token on.
    if (tokens.accessToken.expose() === subject.expose()) {
      throw new OAuthError('unsuitable', "the issuer answered with the caller's own token");
    }
    return tokens;
  } catch (error) {
    throw asOAuthError(error);
  }
}
