/** What the identity provider signs with: made on first start, kept in a private file, so that tokens outlive a restart. */

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

import type { JWK } from 'oidc-provider';

import { isJsonObject } from '../../model/json.ts';

export type IdentityKeys = { readonly jwks: { readonly keys: JWK[] }; readonly cookieKeys: readonly string[] };

/** @param file Absent: new keys that nobody remembers. A file that cannot be understood is written anew. */
export function loadIdentityKeys(file?: string): IdentityKeys {
  const known = file === undefined ? undefined : readKeys(file);
  if (known !== undefined) return known;
  const keys = newKeys();
  if (file !== undefined) {
    writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
  }
  return keys;
}

function newKeys(): IdentityKeys {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y, d } = privateKey.export({ format: 'jwk' });
  const kid = randomBytes(9).toString('base64url');
  return {
    jwks: { keys: [{ kty, crv, x, y, d, kid, alg: 'ES256', use: 'sig' }] },
    cookieKeys: [randomBytes(32).toString('base64url')],
  };
}

function readKeys(file: string): IdentityKeys | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
  const { jwks, cookieKeys } = isJsonObject(value) ? value : {};
  const keys = isJsonObject(jwks) && Array.isArray(jwks['keys']) ? jwks['keys'].filter(isSigningKey) : [];
  const cookies = Array.isArray(cookieKeys) ? cookieKeys.filter((key) => typeof key === 'string' && key !== '') : [];
  return keys.length === 0 || cookies.length === 0 ? undefined : { jwks: { keys }, cookieKeys: cookies.map(String) };
}

const isSigningKey = (key: unknown): key is JWK =>
  isJsonObject(key) &&
  ['kty', 'crv', 'x', 'y', 'd', 'kid'].every((name) => typeof key[name] === 'string') &&
  key['alg'] === 'ES256';
