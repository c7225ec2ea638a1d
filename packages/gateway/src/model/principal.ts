/** Who is calling, after a credential was verified. Nothing here was claimed by the request itself. */

import type { JsonObject } from './json.ts';

/** A tenant comes from an issuer, a claim or a key; never from a request field. */
export type TenantId = string;

export const DEFAULT_TENANT: TenantId = 'default';

/** `mtls`: a client certificate on our own listener; `mesh`: one that a trusted proxy of the mesh vouches for. */
export type CredentialKind = 'api-key' | 'jwt' | 'mtls' | 'mesh' | 'browser' | 'system';

/**
 * The workload a request came from, proved by an X.509-SVID (SPIFFE): the second layer beside the user's token, or the only
 * one.
 */
export type Workload = {
  /** `spiffe://example.org/ns/prod/agent` */
  readonly id: string;
  readonly trustDomain: string;
  readonly credential: 'mtls' | 'mesh';
  readonly expiresAtMs?: number;
};

/** Who acts for the subject, as the issuer says (`act`, RFC 8693 section 4.1). */
export type Actor = { readonly subject: string; readonly issuer?: string; readonly clientId?: string };

export type Principal = {
  /** Stable and unique across tenants, issuers and kinds; what pools, limits, caches and sealed values are keyed by. */
  readonly key: PrincipalKey;
  readonly tenant: TenantId;
  readonly kind: 'user' | 'workload' | 'system';
  /** The OAuth issuer, or `api-key`. */
  readonly issuer: string;
  readonly subject: string;
  /** What a person calls them in a log: the key's name, or the token's `preferred_username`, `email` or `sub`. */
  readonly name: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  /** The OAuth client the token was issued to (`client_id` or `azp`), where the token says so. */
  readonly clientId?: string;
  /** Who acts on behalf of the subject: the current actor first, before it the ones that delegated. For the record alone. */
  readonly actors?: readonly Actor[];
  readonly credential: { readonly kind: CredentialKind; readonly expiresAtMs?: number };
  readonly claims: JsonObject;
  /** Whatever the kind, the workload that proved itself on the connection, where one did. Of the same tenant. */
  readonly workload?: Workload;
};

export type PrincipalKey = string;

/** The length prefix keeps `a/b` + `c` and `a` + `b/c` apart. */
export function principalKey(tenant: TenantId, issuer: string, subject: string): PrincipalKey {
  return `${tenant.length}:${tenant}/${issuer.length}:${issuer}/${subject}`;
}

/** What a key was made of; undefined for what is none. */
export function parsePrincipalKey(
  key: PrincipalKey,
): { readonly tenant: TenantId; readonly issuer: string; readonly subject: string } | undefined {
  const [tenant, afterTenant] = prefixed(key) ?? [];
  const [issuer, subject] = prefixed(afterTenant ?? '') ?? [];
  return tenant === undefined || issuer === undefined || subject === undefined
    ? undefined
    : { tenant, issuer, subject };
}

/** `3:abc/rest` as `abc` and `rest`. */
function prefixed(text: string): readonly [string, string] | undefined {
  const [head = '', digits = ''] = /^(\d{1,6}):/.exec(text) ?? [];
  const end = head.length + Number(digits);
  if (head === '' || text[end] !== '/') return undefined;
  return [text.slice(head.length, end), text.slice(end + 1)];
}
