/** Kept bodies of this process alone: they end with it. */

import type { BodyStore, StoredBody } from '../../audit/body-store.ts';

export type MemoryBodyStoreOptions = {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly maxBodies?: number;
  readonly maxChars?: number;
};

/** Holds at most `maxBodies` (default 10,000) and `maxChars` (default 64 Mi), and rejects more. */
export function createMemoryBodyStore(options: MemoryBodyStoreOptions): BodyStore {
  const { now, maxBodies = 10_000, maxChars = 64 * 1_048_576 } = options;
  const bodies = new Map<string, StoredBody>();
  let chars = 0;

  const remove = (requestId: string): void => {
    chars -= bodies.get(requestId)?.content.length ?? 0;
    bodies.delete(requestId);
  };
  const find = (requestId: string): StoredBody | undefined => {
    const found = bodies.get(requestId);
    return found !== undefined && found.expiresAtMs > now() ? found : undefined;
  };
  const removeExpired = (nowMs: number): void => {
    for (const { requestId, expiresAtMs } of bodies.values()) if (expiresAtMs <= nowMs) remove(requestId);
  };

  return {
    async put(added) {
      const fresh = added.filter(({ requestId }) => !bodies.has(requestId));
      const more = fresh.reduce((sum, { content }) => sum + content.length, 0);
      removeExpired(now());
      if (bodies.size + fresh.length > maxBodies || chars + more > maxChars) {
        throw new Error(`The memory holds ${maxBodies} bodies or ${maxChars} characters of them, and no more.`);
      }
      for (const body of fresh) bodies.set(body.requestId, body);
      chars += more;
    },
    async get(requestId, tenant) {
      const found = find(requestId);
      return tenant === undefined || found?.tenant === tenant ? found : undefined;
    },
    list: async (after, limit) =>
      [...bodies.values()]
        .filter(({ requestId }) => after === undefined || requestId > after)
        .toSorted((one, other) => (one.requestId < other.requestId ? -1 : 1))
        .slice(0, limit),
    async erase(places) {
      const own = places.filter(({ requestId, tenant }) => bodies.get(requestId)?.tenant === tenant);
      for (const { requestId } of own) remove(requestId);
      return own.length;
    },
    async deleteExpired(nowMs) {
      removeExpired(nowMs);
      return false;
    },
  };
}
