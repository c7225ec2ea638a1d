/** From the claims of a verified token to a principal. Pure. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { DEFAULT_TENANT, principalKey, type Actor, type Principal, type TenantId } from '../model/principal.ts';
import { err, ok, type Result } from '../model/result.ts';

export type ClaimMapping = {
  readonly issuer: string;
  /** A claim, or a path into one such as `realm_access.roles`. */
  readonly groupsClaim: string;
  /** The tenant of everyone from this issuer, unless `tenantClaim` says it. */
  readonly tenant?: TenantId;
  /** A token without this claim is refused: nobody falls into another tenant for want of one. */
  readonly tenantClaim?: string;
};

/** The error is for the log. */
export function principalFromClaims(claims: JsonObject, mapping: ClaimMapping): Result<Principal, string> {
  const subject = claims['sub'];
  if (!isText(subject)) return err('sub is missing');
  const expires = claims['exp'];
  if (typeof expires !== 'number') return err('exp is missing');
  const tenant =
    mapping.tenantClaim === undefined ? (mapping.tenant ?? DEFAULT_TENANT) : claimAt(claims, mapping.tenantClaim);
  if (!isText(tenant)) return err(`the tenant claim ${mapping.tenantClaim ?? ''} is missing or not a text`);
  const clientId = [claims['client_id'], claims['azp'], claims['cid']].find(isText);
  const actors = actorsOf(claims['act']);
  return ok(
    deepFrozen({
      key: principalKey(tenant, mapping.issuer, subject),
      tenant,
      // RFC 9068 section 2.2: without a resource owner, the subject is the client itself.
      kind: subject === clientId ? 'workload' : 'user',
      issuer: mapping.issuer,
      subject,
      name: [claims['preferred_username'], claims['email']].find(isText) ?? subject,
      groups: texts(claimAt(claims, mapping.groupsClaim)),
      scopes: scopesOf(claims),
      ...(clientId === undefined ? {} : { clientId }),
      ...(actors.length === 0 ? {} : { actors }),
      credential: { kind: 'jwt', expiresAtMs: expires * 1000 },
      claims,
    }),
  );
}

const MAX_ACTORS = 8;

/**
 * The chain of `act` (RFC 8693 section 4.1), the current actor first. It grants nothing: only the subject's rights and the
 * token's scopes do, so what is misshapen is left out, and what is deeper than the bound is cut.
 */
function actorsOf(claim: Json | undefined): readonly Actor[] {
  const actors: Actor[] = [];
  for (let act = claim; isJsonObject(act) && actors.length < MAX_ACTORS; act = act['act']) {
    const { sub: subject, iss: issuer, client_id: clientId } = act;
    if (!isText(subject)) continue;
    actors.push({ subject, ...(isText(issuer) ? { issuer } : {}), ...(isText(clientId) ? { clientId } : {}) });
  }
  return actors;
}

/** `scope` as RFC 8693 section 4.2 has it, or the `scp` of other issuers, as text or as a list. */
function scopesOf(claims: JsonObject): readonly string[] {
  const claim = claims['scope'] ?? claims['scp'];
  return typeof claim === 'string' ? claim.split(' ').filter((scope) => scope !== '') : texts(claim);
}

/** The claim of that very name first: names that are URLs have dots in them. */
function claimAt(claims: JsonObject, path: string): Json | undefined {
  if (Object.hasOwn(claims, path)) return claims[path];
  let at: Json | undefined = claims;
  for (const step of path.split('.')) {
    if (!isJsonObject(at) || !Object.hasOwn(at, step)) return undefined;
    at = at[step];
  }
  return at;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function texts(value: Json | undefined): readonly string[] {
  if (isText(value)) return [value];
  return Array.isArray(value) ? value.filter(isText) : [];
}

/** A principal is shared between requests, so nothing may change it. */
export function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) deepFrozen<unknown>(member);
  return Object.freeze(value);
}
