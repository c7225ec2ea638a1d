/** API keys of the configuration: found by their hash, so that neither the text nor the time it takes tells of another key. */

import { deepFrozen } from './claims.ts';
import { principalKey, type Principal, type TenantId } from '../model/principal.ts';
import { apiKeyDigest, isApiKey } from './api-key.ts';
import { refused, type Refused } from './refused.ts';

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
export type ApiKeyVerifier = (text: string, nowMs: number) => Principal | Refused;

/** @throws RangeError when a hash is not a SHA-256, or when two keys share a hash, or a name within a tenant. */
export function createApiKeyVerifier(records: readonly ApiKeyRecord[]): ApiKeyVerifier {
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
    const principal = principals.get(apiKeyDigest(text));
    if (principal === undefined) {
      return refused('invalid-credential', isApiKey(text) ? 'api key: unknown' : 'api key: mistyped or cut short');
    }
    const { expiresAtMs } = principal.credential;
    if (expiresAtMs !== undefined && nowMs >= expiresAtMs) {
      return refused('expired-credential', `api key: "${principal.name}" expired`);
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
