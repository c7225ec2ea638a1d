/** A JSON Web Key Set (RFC 7517): what of it may verify tokens, and which of its keys fits a token's header. Pure. */

import { isJsonObject, type JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';

export type PublicKey = {
  /** Frozen, and the same object for the life of the snapshot: jose keeps the imported key by it. */
  readonly jwk: JsonObject;
  readonly kty: string;
  readonly kid?: string;
  readonly fingerprint: string;
};

export type KeySnapshot = {
  readonly keys: readonly PublicKey[];
  readonly fingerprints: ReadonlySet<string>;
  readonly fetchedAtMs: number;
};

/** What of a JOSE header chooses the key. */
export type TokenHeader = { readonly alg: string; readonly kid?: string };

type Algorithm = { readonly kty: string; readonly crv?: readonly string[] };

const RSA: Algorithm = { kty: 'RSA' };

/** Asymmetric signatures only: with `HS*` whoever knows the public key could sign, and `none` signs nothing. */
export const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  RS256: RSA,
  RS384: RSA,
  RS512: RSA,
  PS256: RSA,
  PS384: RSA,
  PS512: RSA,
  ES256: { kty: 'EC', crv: ['P-256'] },
  ES384: { kty: 'EC', crv: ['P-384'] },
  ES512: { kty: 'EC', crv: ['P-521'] },
  EdDSA: { kty: 'OKP', crv: ['Ed25519'] },
  Ed25519: { kty: 'OKP', crv: ['Ed25519'] },
};

const MAX_KEYS = 64;

/** Keys tried for one token that names none, or whose name several share. */
const MAX_CANDIDATES = 4;

/** Keys of unknown, symmetric or encrypting kinds are passed over, as RFC 7517 section 5 says. */
export function parseJwks(document: unknown, fetchedAtMs: number): Result<KeySnapshot, string> {
  const listed = isJsonObject(document) ? document['keys'] : undefined;
  if (!Array.isArray(listed)) return err('the key set has no list of keys');
  if (listed.length > MAX_KEYS) return err(`the key set has more than ${MAX_KEYS} keys`);
  const keys = listed.filter(isJsonObject).filter(mayVerify).map(publicKey);
  return ok({ keys, fingerprints: new Set(keys.map((key) => key.fingerprint)), fetchedAtMs });
}

/** The keys that fit a header whose `alg` is in {@link ALGORITHMS}. */
export function candidates(snapshot: KeySnapshot, header: TokenHeader): readonly PublicKey[] {
  const algorithm = ALGORITHMS[header.alg];
  if (algorithm === undefined) return [];
  return snapshot.keys
    .filter(({ jwk, kty, kid }) => {
      if (kty !== algorithm.kty || (header.kid !== undefined && kid !== header.kid)) return false;
      if (typeof jwk['alg'] === 'string' && jwk['alg'] !== header.alg && !isEd25519(jwk['alg'], header.alg))
        return false;
      return algorithm.crv === undefined || algorithm.crv.some((curve) => curve === jwk['crv']);
    })
    .slice(0, MAX_CANDIDATES);
}

/** Two names of one algorithm (RFC 9864 section 2.2). */
const isEd25519 = (one: string, other: string): boolean =>
  (one === 'EdDSA' && other === 'Ed25519') || (one === 'Ed25519' && other === 'EdDSA');

function mayVerify(jwk: JsonObject): boolean {
  const { kty, use, key_ops: operations } = jwk;
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return false;
  if (use !== undefined && use !== 'sig') return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'));
}

function publicKey(jwk: JsonObject): PublicKey {
  const { kty, kid, alg, crv, n, e, x, y } = jwk;
  // Only what a public key is made of: a private key that was published by mistake is not kept.
  const kept = Object.fromEntries(
    Object.entries({ kty, kid, alg, crv, n, e, x, y }).filter(([, value]) => isText(value)),
  );
  return {
    jwk: Object.freeze(kept),
    kty: isText(kty) ? kty : '',
    ...(isText(kid) ? { kid } : {}),
    fingerprint: JSON.stringify([kty, kid, crv, n, e, x, y]),
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';
