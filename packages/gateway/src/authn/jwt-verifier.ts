/** JWT access tokens (RFC 9068 and what issuers made before it) of the configured issuers. */

import { decodeProtectedHeader, decodeJwt, errors, jwtVerify } from 'jose';

import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Principal, TenantId } from '../model/principal.ts';
import { principalFromClaims } from './claims.ts';
import { isTrustworthyUrl, type FetchJson } from './discovery.ts';
import { ALGORITHMS, type PublicKey, type TokenHeader } from './jwks.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import { quoted, refused, type Refused } from './refused.ts';

export type IssuerOptions = {
  /** Compared byte for byte with `iss` and with the `issuer` of the metadata. */
  readonly issuer: string;
  readonly jwksUri?: string;
  /** Accepted beside the audiences of the endpoint. */
  readonly audiences?: readonly string[];
  /** Default `groups`. */
  readonly groupsClaim?: string;
  readonly tenant?: TenantId;
  readonly tenantClaim?: string;
  /** A subset of the asymmetric algorithms; all of them when absent. */
  readonly algorithms?: readonly string[];
  /** Default 30. */
  readonly clockSkewSeconds?: number;
  /** Only `typ: at+jwt` (RFC 9068 section 4) is an access token then. Default false: many issuers do not set it. */
  readonly requireAccessTokenType?: boolean;
};

/** A token whose signature and claims are good; its audience has yet to be compared with the endpoint. */
export type VerifiedToken = {
  readonly principal: Principal;
  readonly audiences: readonly string[];
  readonly issuer: Issuer;
  readonly fingerprint: string;
  /** With the clock skew. */
  readonly expiresAtMs: number;
};

export type Issuer = {
  readonly options: IssuerOptions;
  readonly keys: KeySet;
  readonly algorithms: readonly string[];
  readonly skewMs: number;
};

export type IssuersOptions = {
  readonly issuers: readonly IssuerOptions[];
  readonly fetchJson: FetchJson;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** For discovery and keys together. */
  readonly fetchTimeoutMs?: number;
  readonly onFetchFailure: (issuer: string, reason: string) => void;
};

/** By issuer identifier. @throws RangeError when an issuer is configured twice, or so that it could not be trusted. */
export function createIssuers(options: IssuersOptions): ReadonlyMap<string, Issuer> {
  const issuers = new Map<string, Issuer>();
  for (const issuer of options.issuers) {
    if (issuers.has(issuer.issuer)) throw new RangeError(`The issuer ${issuer.issuer} is configured twice.`);
    issuers.set(issuer.issuer, createIssuer(issuer, options));
  }
  return issuers;
}

function createIssuer(issuer: IssuerOptions, options: IssuersOptions): Issuer {
  for (const url of issuer.jwksUri === undefined ? [issuer.issuer] : [issuer.issuer, issuer.jwksUri]) {
    if (!isTrustworthyUrl(url)) throw new RangeError(`${url} must be an https URL (http only on this machine).`);
  }
  const algorithms = issuer.algorithms ?? Object.keys(ALGORITHMS);
  const unknown = algorithms.find((algorithm) => !Object.hasOwn(ALGORITHMS, algorithm));
  if (unknown !== undefined || algorithms.length === 0) {
    throw new RangeError(`${issuer.issuer}: algorithms must be some of ${Object.keys(ALGORITHMS).join(', ')}.`);
  }
  const skewMs = (issuer.clockSkewSeconds ?? 30) * 1000;
  if (!(skewMs >= 0 && skewMs <= 300_000)) throw new RangeError('clockSkewSeconds must be between 0 and 300.');
  const keys = createKeySet({
    issuer: issuer.issuer,
    ...(issuer.jwksUri === undefined ? {} : { jwksUri: issuer.jwksUri }),
    ...(options.fetchTimeoutMs === undefined ? {} : { fetchTimeoutMs: options.fetchTimeoutMs }),
    fetchJson: options.fetchJson,
    now: options.now,
    onFailure: (reason) => options.onFetchFailure(issuer.issuer, reason),
  });
  return { options: issuer, keys, algorithms, skewMs };
}

/** Everything but the audience. The order is the order of cost and of trust: nothing unverified is believed. */
export async function verifyToken(
  token: string,
  issuers: ReadonlyMap<string, Issuer>,
  nowMs: number,
): Promise<VerifiedToken | Refused> {
  const peeked = peek(token);
  if (peeked === undefined) return refused('invalid-credential', 'token: not a JWT');
  const issuer = typeof peeked.iss === 'string' ? issuers.get(peeked.iss) : undefined;
  if (issuer === undefined) return refused('invalid-credential', `token: unknown issuer ${quoted(peeked.iss)}`);
  if (!issuer.algorithms.includes(peeked.header.alg)) {
    return refused('invalid-credential', `token: algorithm ${quoted(peeked.header.alg)} is not allowed`);
  }
  if (!isAccessTokenType(peeked.typ, issuer.options.requireAccessTokenType === true)) {
    return refused('invalid-credential', `token: typ ${quoted(peeked.typ)} is not an access token's`);
  }
  const keys = await issuer.keys.keysFor(peeked.header);
  if (keys === undefined) return refused('identity-unavailable', `token: no keys of ${issuer.options.issuer}`);
  for (const key of keys) {
    const verified = await verifyWith(token, key, issuer, nowMs);
    if (verified !== undefined) return verified;
  }
  const reason = keys.length === 0 ? `no key for kid ${quoted(peeked.header.kid)}` : 'the signature is wrong';
  return refused('invalid-credential', `token: ${reason}`);
}

/** `undefined` when another key has signed it. */
async function verifyWith(
  token: string,
  key: PublicKey,
  issuer: Issuer,
  nowMs: number,
): Promise<VerifiedToken | Refused | undefined> {
  let claims: JsonObject;
  try {
    const { payload } = await jwtVerify(token, key.jwk, {
      algorithms: [...issuer.algorithms],
      issuer: issuer.options.issuer,
      clockTolerance: issuer.skewMs / 1000,
      currentDate: new Date(nowMs),
      requiredClaims: ['exp', 'sub', 'aud'],
    });
    if (!isJsonObject(payload)) return refused('invalid-credential', 'token: the claims are not an object');
    claims = payload;
  } catch (cause) {
    if (cause instanceof errors.JWSSignatureVerificationFailed) return undefined;
    if (cause instanceof errors.JWTExpired) return refused('expired-credential', 'token: expired');
    return refused('invalid-credential', `token: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const wrong = otherThanAccessToken(claims) ?? fromTheFuture(claims, nowMs + issuer.skewMs);
  if (wrong !== undefined) return refused('invalid-credential', `token: ${wrong}`);
  const principal = principalFromClaims(claims, { groupsClaim: 'groups', ...issuer.options });
  if (!principal.ok) return refused('invalid-credential', `token: ${principal.error}`);
  const audience = claims['aud'];
  return {
    principal: principal.value,
    audiences: (Array.isArray(audience) ? audience : [audience]).filter((one) => typeof one === 'string'),
    issuer,
    fingerprint: key.fingerprint,
    expiresAtMs: (principal.value.credential.expiresAtMs ?? 0) + issuer.skewMs,
  };
}

type Peeked = { readonly header: TokenHeader; readonly typ: unknown; readonly iss: unknown };

/** What an unverified token says of itself: good for choosing issuer and key, and for nothing else. */
function peek(token: string): Peeked | undefined {
  try {
    const header = decodeProtectedHeader(token);
    if (typeof header.alg !== 'string') return undefined;
    const { alg, kid } = header;
    return { header: { alg, ...(typeof kid === 'string' ? { kid } : {}) }, typ: header.typ, iss: decodeJwt(token).iss };
  } catch {
    return undefined;
  }
}

/** `at+jwt` (RFC 9068 section 2.1); `JWT` or nothing from issuers that do not follow it. */
function isAccessTokenType(typ: unknown, strict: boolean): boolean {
  if (typ === undefined) return !strict;
  if (typeof typ !== 'string') return false;
  const name = typ.toLowerCase();
  if (name === 'at+jwt' || name === 'application/at+jwt') return true;
  return !strict && (name === 'jwt' || name === 'application/jwt');
}

/**
 * What issuers sign beside access tokens, where it can be told: Keycloak's `typ` and Cognito's `token_use`, the hashes of
 * an OpenID Connect id token (Core section 3.3.2.11), the `events` of logout and security event tokens (RFC 8417).
 */
function otherThanAccessToken(claims: JsonObject): string | undefined {
  const { typ, token_use: use } = claims;
  if (typeof typ === 'string' && ['id', 'refresh', 'offline', 'logout'].includes(typ.toLowerCase())) {
    return `a token of typ ${quoted(typ)} is no access token`;
  }
  if (use !== undefined && use !== 'access') return `token_use is ${quoted(use)}`;
  if ('at_hash' in claims || 'c_hash' in claims) return 'an id token is no access token';
  if (isJsonObject(claims['events'])) return 'an event token is no access token';
  return undefined;
}

function fromTheFuture(claims: JsonObject, latestMs: number): string | undefined {
  const issuedAt = claims['iat'];
  return typeof issuedAt === 'number' && issuedAt * 1000 > latestMs ? 'iat lies in the future' : undefined;
}
