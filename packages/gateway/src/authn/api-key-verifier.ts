/**
 * Whom an API key stands for: keys of the configuration first, then those of the store. All are found by their hash, so that
 * neither the text nor the time it takes tells of another key.
 */

import { deepFrozen } from './claims.ts';
import { principalKey, type Principal, type TenantId } from '../model/principal.ts';
import { apiKeyDigest, isApiKey } from './api-key.ts';
import { refused, type Refused } from './refused.ts';
import type { KeyLookup, StoredApiKeys } from './stored-api-keys.ts';

export type ApiKeyRecord = {
  readonly name: string;
  /** SHA-256 of the key in lower-case hex, with or without `sha256:` before it. */
  readonly hash: string;
  readonly groups: readonly string[];
  readonly tenant: TenantId;
  readonly expiresAtMs?: number;
};

/** What stands for the issuer in the principal of a key. No OAuth issuer can be called so: those are URLs. */
export const API_KEY_ISSUER = 'api-key';

/** The principal is the same object each time a key is presented. */
export type ApiKeyVerifier = (text: string, nowMs: number) => Principal | Refused | KeyLookup;

/** @throws RangeError when a hash is not a SHA-256, or when two keys share a hash, or a name within a tenant. */
export function createApiKeyVerifier(records: readonly ApiKeyRecord[], stored?: StoredApiKeys): ApiKeyVerifier {
  const principals = new Map<string, Principal>();
  const keys = new Set<string>();
  for (const record of records) {
    const digest = record.hash.replace(/^sha256:/u, '');
    const principal = apiKeyPrincipal(record);
    if (!/^[0-9a-f]{64}$/u.test(digest)) {
      throw new RangeError(`The hash of API key "${record.name}" is not sha256: and 64 hexadecimal digits.`);
    }
    if (principals.has(digest)) throw new RangeError(`The hash of API key "${record.name}" is another key's too.`);
    if (keys.has(principal.key)) throw new RangeError(`Two API keys are called "${record.name}".`);
    principals.set(digest, principal);
    keys.add(principal.key);
  }

  return (text, nowMs) => {
    const digest = apiKeyDigest(text);
    const principal = principals.get(digest);
    if (principal === undefined) {
      // The checksum spares the store every guess that is none of our keys.
      if (!isApiKey(text)) return refused('invalid-credential', 'api key: mistyped or cut short');
      return stored?.check(digest) ?? refused('invalid-credential', 'api key: unknown');
    }
    const { expiresAtMs } = principal.credential;
    if (expiresAtMs !== undefined && nowMs >= expiresAtMs) {
      return refused('expired-credential', `api key: "${principal.name}" expired`, principal);
    }
    return principal;
  };
}

/** Who a key stands for. The command line asks policies for them without the key. */
export function apiKeyPrincipal({ name, groups, tenant, expiresAtMs }: ApiKeyRecord): Principal {
  return deepFrozen({
    key: principalKey(tenant, API_KEY_ISSUER, name),
    tenant,
    kind: 'user',
    issuer: API_KEY_ISSUER,
    subject: name,
    name,
    groups: [...groups],
    scopes: [],
    credential: { kind: 'api-key', ...(expiresAtMs === undefined ? {} : { expiresAtMs }) },
    claims: {},
  });
}
