/** What an authorization server says of itself: RFC 8414 or OpenID Connect Discovery, at the addresses and in the order of MCP. */

import type { ServerMetadata } from 'openid-client';

import type { JsonObject } from '../../model/json.ts';
import { OAuthError, quoted } from './oauth-error.ts';
import { assertMayLeadTo, getJson, messageOf, type OAuthWeb } from './oauth-web.ts';
import { texts } from './protected-resource.ts';

export type AuthorizationServer = {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly authorizationEndpoint: string | undefined;
  readonly registrationEndpoint: string | undefined;
  readonly revocationEndpoint: string | undefined;
  readonly scopes: readonly string[];
  /** As they are listed; empty: RFC 8414 section 2 says `client_secret_basic`. */
  readonly authenticationMethods: readonly string[];
  readonly grantTypes: readonly string[];
  readonly pkceMethods: readonly string[];
  readonly takesMetadataDocuments: boolean;
  /** As it came, for the library that speaks to it. */
  readonly metadata: ServerMetadata;
};

/** MCP 2026-07-28, basic/authorization/authorization-server-discovery: three addresses for an issuer with a path, else two. */
export function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    ...new Set([
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
      `${origin}${path}/.well-known/openid-configuration`,
    ]),
  ];
}

/** @throws OAuthError that says what each address answered */
export async function findAuthorizationServer(
  web: OAuthWeb,
  issuer: string,
  signal: AbortSignal,
): Promise<AuthorizationServer> {
  assertMayLeadTo(web, 'the authorization server', issuer);
  const problems: string[] = [];
  let isDown = false;
  for (const url of metadataUrls(issuer)) {
    let document: JsonObject;
    try {
      document = await getJson(web, url, signal);
    } catch (error) {
      signal.throwIfAborted();
      isDown ||= error instanceof OAuthError && error.fault === 'unreachable';
      problems.push(`${url}: ${messageOf(error)}`);
      continue;
    }
    // A document that lies is no reason to look for one that does not.
    return readMetadata(web, document, issuer);
  }
  throw new OAuthError(isDown ? 'unreachable' : 'unsuitable', `${issuer} has no metadata. ${problems.join('; ')}`);
}

function readMetadata(web: OAuthWeb, document: JsonObject, issuer: string): AuthorizationServer {
  // RFC 8414 section 3.3: identical, or it must not be used.
  if (document.issuer !== issuer) {
    throw new OAuthError('unsuitable', `the metadata of ${issuer} speaks for the issuer ${quoted(document.issuer)}`);
  }
  const endpoint = (name: string): string | undefined =>
    document[name] === undefined ? undefined : assertMayLeadTo(web, name, document[name]);
  const tokenEndpoint = endpoint('token_endpoint');
  if (tokenEndpoint === undefined) throw new OAuthError('unsuitable', `${issuer} names no token_endpoint`);
  return {
    issuer,
    tokenEndpoint,
    authorizationEndpoint: endpoint('authorization_endpoint'),
    registrationEndpoint: endpoint('registration_endpoint'),
    revocationEndpoint: endpoint('revocation_endpoint'),
    scopes: texts(document.scopes_supported),
    authenticationMethods: texts(document.token_endpoint_auth_methods_supported),
    grantTypes: texts(document.grant_types_supported),
    pkceMethods: texts(document.code_challenge_methods_supported),
    takesMetadataDocuments: document.client_id_metadata_document_supported === true,
    metadata: { ...document, issuer },
  };
}
