/** Grants of this process alone: they end with it. Sealed here as well, so that memory holds no token that nobody uses. */

import type {
  GrantEnd,
  GrantKeys,
  GrantNote,
  GrantRemoval,
  GrantRemovals,
  GrantRow,
  GrantStore,
} from '../../credential/grant-rows.ts';
import { grantName, matchesFilter, MAX_FAILURE_CHARS } from '../rules/grant-rules.ts';

type Kept = {
  row: GrantRow;
  lastUsedAtMs?: number;
  lastFailure?: NonNullable<GrantNote['lastFailure']>;
  lease?: { readonly holder: string; readonly untilMs: number };
};

/** Whoever looks every few seconds misses none of them. */
const MAX_REMOVALS = 1_000;

export function createMemoryGrantStore(): GrantStore {
  const grants = new Map<string, Kept>();
  const removals = new Map<string, GrantRemoval>();
  const sorted = (): readonly (readonly [string, Kept])[] =>
    [...grants].toSorted(([one], [other]) => (one < other ? -1 : 1));

  return {
    read: async (key) => grants.get(grantName(key))?.row,
    async write(row, after, { maxGrants, maxPerPrincipal }) {
      const kept = grants.get(grantName(row.key));
      if ((kept?.row.version ?? 0) !== after) return 'changed-meanwhile';
      if (kept !== undefined) {
        kept.row = row;
        delete kept.lastFailure;
        return 'written';
      }
      const { tenant, principal } = row.key;
      const own = [...grants.values()].filter((one) => matchesFilter(one.row.key, { tenant, principal }));
      if (grants.size >= maxGrants || own.length >= maxPerPrincipal) return 'too-many';
      grants.set(grantName(row.key), { row });
      return 'written';
    },
    async remove(removal, limit) {
      removals.set(removal.id, removal);
      const [oldest] = removals.keys();
      if (removals.size > MAX_REMOVALS && oldest !== undefined) removals.delete(oldest);
      const found = sorted()
        .filter(([, { row }]) => matchesFilter(row.key, removal.filter))
        .slice(0, limit);
      for (const [name] of found) grants.delete(name);
      return found.map(([, { row }]) => row);
    },
    async list(filter, { after, limit }) {
      const found = sorted()
        .filter(([name, { row }]) => (after === undefined || name > after) && matchesFilter(row.key, filter))
        .slice(0, limit);
      const next = found.length === limit ? found.at(-1)?.[0] : undefined;
      return { notes: found.map(([, kept]) => noteOf(kept)), ...(next === undefined ? {} : { next }) };
    },
    async note(uses) {
      for (const { key, usedAtMs, failure } of uses) {
        const kept = grants.get(grantName(key));
        if (kept === undefined) continue;
        if (usedAtMs !== undefined) kept.lastUsedAtMs = Math.max(kept.lastUsedAtMs ?? 0, usedAtMs);
        if (failure !== undefined) {
          kept.lastFailure = { atMs: failure.atMs, why: failure.why.slice(0, MAX_FAILURE_CHARS) };
        }
      }
    },
    async lease(key, holder, { nowMs, untilMs }) {
      const kept = grants.get(grantName(key));
      if (kept === undefined) return false;
      const { lease } = kept;
      if (lease !== undefined && lease.holder !== holder && lease.untilMs > nowMs) return false;
      kept.lease = { holder, untilMs };
      return true;
    },
    async release(key, holder) {
      const kept = grants.get(grantName(key));
      if (kept?.lease?.holder === holder) delete kept.lease;
    },
    soonest: async () => soonestOf([...grants.values()].map(({ row }) => row)),
    removals: memoryRemovals(removals),
    keys: memoryKeys(grants, sorted),
  };
}

function noteOf({ row, lastUsedAtMs, lastFailure }: Kept): GrantNote {
  const { sealed, ...note } = row;
  return {
    ...note,
    keyId: sealed.keyId,
    ...(lastUsedAtMs === undefined ? {} : { lastUsedAtMs }),
    ...(lastFailure === undefined ? {} : { lastFailure }),
  };
}

function soonestOf(rows: readonly GrantRow[]): readonly GrantEnd[] {
  const ends = new Map<string, GrantEnd>();
  for (const { key, expiresAtMs, refusedAtMs } of rows) {
    const status = refusedAtMs === undefined ? 'good' : 'needs-login';
    const name = `${status} ${key.server}`;
    const before = ends.get(name);
    const first = Math.min(before?.expiresAtMs ?? Infinity, expiresAtMs ?? Infinity);
    const end = first === Infinity ? {} : { expiresAtMs: first };
    ends.set(name, { server: key.server, status, count: (before?.count ?? 0) + 1, ...end });
  }
  return [...ends.values()];
}

const memoryRemovals = (removals: Map<string, GrantRemoval>): GrantRemovals => ({
  since: async (sinceMs, limit) =>
    [...removals.values()]
      .filter(({ atMs }) => atMs > sinceMs)
      .toReversed()
      .slice(0, limit),
  async forget(beforeMs) {
    for (const { id, atMs } of removals.values()) if (atMs < beforeMs) removals.delete(id);
    return false;
  },
});

const memoryKeys = (grants: Map<string, Kept>, sorted: () => readonly (readonly [string, Kept])[]): GrantKeys => ({
  notUnder: async (keyId, { after, limit }) => ({
    rows: sorted()
      .filter(([name, { row }]) => row.sealed.keyId !== keyId && (after === undefined || name > after))
      .slice(0, limit)
      .map(([place, { row }]) => ({ place, sealed: row.sealed })),
  }),
  async rewrap(changes) {
    const meant = changes.filter(({ place, before }) => grants.get(place)?.row.sealed.wrapped === before.wrapped);
    for (const { place, after } of meant) {
      const kept = grants.get(place);
      if (kept !== undefined) kept.row = { ...kept.row, sealed: after };
    }
    return meant.length;
  },
});
