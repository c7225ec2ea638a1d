/** What a token endpoint answers, or why it does not, as the rest of the gateway needs it. */

import { AuthorizationResponseError, ResponseBodyError, type TokenEndpointResponse } from 'openid-client';

import { EgressError } from '../../egress/egress-error.ts';
import { Secret } from '../../model/secret.ts';
import { OAuthError, quoted } from './oauth-error.ts';
import { scopesIn } from './protected-resource.ts';

export type ObtainedToken = {
  readonly accessToken: Secret;
  readonly refreshToken?: Secret;
  readonly scopes: readonly string[];
  readonly obtainedAtMs: number;
  readonly expiresAtMs?: number;
};

/** RFC 6750 section 2.1: what a bearer token may be made of. Anything else could begin a header of its own. */
const BEARER = /^[\w.~+/-]+=*$/;
const MAX_TOKEN_CHARS = 16_384;

/** @param asked The scopes in force when the answer names none (RFC 6749 section 5.1). */
export function readTokens(answer: TokenEndpointResponse, asked: readonly string[], nowMs: number): ObtainedToken {
  const { access_token: token, token_type: type, expires_in: seconds, refresh_token: refresh, scope } = answer;
  if (type !== 'bearer') throw new OAuthError('unsuitable', `a token of the type ${quoted(type)} cannot be used`);
  if (token.length > MAX_TOKEN_CHARS || !BEARER.test(token)) {
    throw new OAuthError('unsuitable', 'the answer holds something that is no bearer token');
  }
  return {
    accessToken: new Secret(token),
    ...(refresh === undefined ? {} : { refreshToken: new Secret(refresh) }),
    scopes: scope === undefined ? asked : scopesIn(scope),
    obtainedAtMs: nowMs,
    ...(seconds === undefined ? {} : { expiresAtMs: nowMs + Math.max(0, seconds) * 1000 }),
  };
}

/** RFC 6749 section 5.2: it is the client that is not known, or may not do this. */
const ABOUT_CLIENT = new Set(['invalid_client', 'unauthorized_client']);

/** An error of the library as one of ours. Its own messages name no token, but may quote a description that does. */
export function asOAuthError(error: unknown): OAuthError {
  if (error instanceof OAuthError) return error;
  if (error instanceof ResponseBodyError) {
    const fault = error.status >= 500 ? 'unreachable' : ABOUT_CLIENT.has(error.error) ? 'unregistered' : 'refused';
    return new OAuthError(fault, `the authorization server answered ${quoted(error.error)}`, error);
  }
  if (error instanceof AuthorizationResponseError) {
    return new OAuthError('refused', `the authorization server answered ${quoted(error.error)}`, error);
  }
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (at instanceof EgressError) return new OAuthError('unreachable', at.message, error);
    if (at instanceof OAuthError) return at;
    // The library keeps a response that it could not use as the cause of its own error.
    if (at.cause instanceof Response) {
      const { status } = at.cause;
      return new OAuthError(status >= 500 || status === 429 ? 'unreachable' : 'unsuitable', `status ${status}`, error);
    }
    if (at.name === 'TimeoutError') return new OAuthError('unreachable', 'no answer in time', error);
  }
  return new OAuthError('unsuitable', 'the answer cannot be used', error);
}
