/** API keys of this process alone, for a sidecar and for tests. */

import type { ApiKeyStore, StoredApiKey } from '../../authn/api-key-store.ts';
import { err, ok } from '../../model/result.ts';

export type MemoryApiKeyStoreOptions = { readonly maxKeys?: number };

/** Holds at most `maxKeys` (default 10,000), and rejects more. */
export function createMemoryApiKeyStore({ maxKeys = 10_000 }: MemoryApiKeyStoreOptions = {}): ApiKeyStore {
  const keys = new Map<string, StoredApiKey>();
  const named = (tenant: string, name: string): StoredApiKey | undefined =>
    [...keys.values()].find((key) => key.tenant === tenant && key.name === name && key.revokedAtMs === undefined);
  const byHash = (hash: string): StoredApiKey | undefined => [...keys.values()].find((key) => key.hash === hash);

  return {
    async create(key) {
      if (byHash(key.hash) !== undefined) return err('hash-taken');
      if (named(key.tenant, key.name) !== undefined) return err('name-taken');
      if (keys.size >= maxKeys) throw new Error(`The memory holds ${maxKeys} API keys and no more.`);
      keys.set(key.id, key);
      return ok(key);
    },
    findByHash: async (hash) => byHash(hash),
    list: async (only) => {
      if (only === undefined) return sortedBy(keys.values(), (key) => key.createdAtMs);
      const endsAt = (key: StoredApiKey): number => key.expiresAtMs ?? Number.POSITIVE_INFINITY;
      const ending = [...keys.values()].filter(
        (key) => key.revokedAtMs === undefined && endsAt(key) >= only.fromMs && endsAt(key) < only.untilMs,
      );
      return sortedBy(ending, endsAt).slice(0, only.limit);
    },
    async change(tenant, name, change) {
      const key = named(tenant, name);
      if (key === undefined) return false;
      keys.set(key.id, { ...key, ...change });
      return true;
    },
    async noteUses(uses) {
      for (const { id, usedAtMs } of uses) {
        const key = keys.get(id);
        if (key !== undefined && (key.lastUsedAtMs ?? 0) < usedAtMs) keys.set(id, { ...key, lastUsedAtMs: usedAtMs });
      }
    },
  };
}

const sortedBy = (keys: Iterable<StoredApiKey>, at: (key: StoredApiKey) => number): readonly StoredApiKey[] =>
  [...keys].toSorted((one, other) => at(one) - at(other) || (one.id < other.id ? -1 : 1));
