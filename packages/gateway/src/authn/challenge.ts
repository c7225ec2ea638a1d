/**
 * What a caller without a valid credential is told: the `WWW-Authenticate` challenge (RFC 6750 section 3) and the
 * protected resource metadata that it points to (RFC 9728). Pure: the entrypoint writes the bytes.
 */

import type { FailureCode } from '../model/failure.ts';

/** Error codes of RFC 6750 section 3.1. */
export type BearerError = 'invalid_request' | 'invalid_token' | 'insufficient_scope';

export type BearerChallenge = {
  /** Absolute URL of the protected resource metadata of the endpoint that was called (RFC 9728 section 5.1). */
  readonly resourceMetadataUrl: string;
  /** Absent when no credential was presented: RFC 6750 section 3.1 wants no error information then. */
  readonly error?: BearerError;
  readonly errorDescription?: string;
  /** Every scope the operation needs, at once: a client asks for exactly these (MCP 2026-07-28, authorization). */
  readonly scope?: readonly string[];
};

/** The value of `WWW-Authenticate` for a 401 or a 403. */
export function bearerChallenge(challenge: BearerChallenge): string {
  const parameters: string[] = [];
  if (challenge.error !== undefined) parameters.push(parameter('error', challenge.error));
  if (challenge.errorDescription !== undefined) {
    parameters.push(parameter('error_description', challenge.errorDescription));
  }
  if (challenge.scope !== undefined && challenge.scope.length > 0) {
    parameters.push(parameter('scope', challenge.scope.join(' ')));
  }
  parameters.push(parameter('resource_metadata', challenge.resourceMetadataUrl));
  return `Bearer ${parameters.join(', ')}`;
}

/** The RFC 6750 error that belongs to one of our failures; `undefined` where the challenge carries none. */
export function bearerError(code: FailureCode): BearerError | undefined {
  switch (code) {
    case 'invalid-credential':
    case 'expired-credential':
    case 'wrong-audience':
      return 'invalid_token';
    case 'insufficient-scope':
      return 'insufficient_scope';
    default:
      return undefined;
  }
}

export type ProtectedResource = {
  /** The canonical URI of the endpoint: what clients send as `resource` and what tokens carry as audience. */
  readonly resource: string;
  /** Issuer identifiers. Empty when the endpoint takes API keys only. */
  readonly authorizationServers: readonly string[];
  readonly scopes?: readonly string[];
};

/** RFC 9728 section 2. Members without elements are left out, as section 3.2 demands. */
export type ProtectedResourceMetadata = {
  readonly resource: string;
  readonly authorization_servers?: readonly string[];
  readonly scopes_supported?: readonly string[];
  readonly bearer_methods_supported: readonly ['header'];
};

/** The document at {@link protectedResourceMetadataUrl}. */
export function protectedResourceMetadata(of: ProtectedResource): ProtectedResourceMetadata {
  return {
    resource: of.resource,
    ...(of.authorizationServers.length > 0 ? { authorization_servers: of.authorizationServers } : {}),
    ...(of.scopes !== undefined && of.scopes.length > 0 ? { scopes_supported: of.scopes } : {}),
    bearer_methods_supported: ['header'],
  };
}

export const PROTECTED_RESOURCE_PATH = '/.well-known/oauth-protected-resource';

/**
 * Where the metadata of a resource is published: the well-known path goes between host and path (RFC 9728 section 3.1).
 *
 * @throws TypeError when `resource` is not an absolute URL.
 */
export function protectedResourceMetadataUrl(resource: string): string {
  const url = new URL(resource);
  const path = url.pathname === '/' ? '' : url.pathname;
  return `${url.origin}${PROTECTED_RESOURCE_PATH}${path}${url.search}`;
}

/**
 * `name="value"`. RFC 6750 section 3 allows neither quotes nor backslashes nor anything outside printable ASCII in these
 * values, so such characters are dropped, not escaped: nothing can end the quoted string or the header.
 */
function parameter(name: string, value: string): string {
  return `${name}="${value.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/gu, '')}"`;
}
