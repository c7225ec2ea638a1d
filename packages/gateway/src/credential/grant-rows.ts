/**
 * The ports of what keeps grants: rows that are sealed already, so that no adapter ever sees a token. What stands beside the
 * sealed text is what grants are found, counted and listed by; it says who uses what, and opens nothing.
 */

import type { ServerId } from '../model/target.ts';
import type { SealedRecord } from './envelope.ts';
import type { GrantFilter, GrantKey } from './grant.ts';

/** What may be told of a grant without opening it: also when its key is gone. */
export type GrantNote = {
  readonly key: GrantKey;
  readonly version: number;
  readonly keyId: string;
  readonly scopes: readonly string[];
  readonly obtainedAtMs: number;
  readonly writtenAtMs: number;
  readonly expiresAtMs?: number;
  /** Since then the person has to log in again. */
  readonly refusedAtMs?: number;
  readonly lastUsedAtMs?: number;
  readonly lastFailure?: { readonly atMs: number; readonly why: string };
};

export type GrantRow = Omit<GrantNote, 'keyId' | 'lastUsedAtMs' | 'lastFailure'> & { readonly sealed: SealedRecord };

/** How many grants there may be; what is written beyond is refused. Counted before writing, so that a few more may get by. */
export type GrantBounds = { readonly maxGrants: number; readonly maxPerPrincipal: number };

export type Written = 'written' | 'changed-meanwhile' | 'too-many';

/** What was removed, once for each removal: replicas hear of it by looking. */
export type GrantRemoval = { readonly id: string; readonly atMs: number; readonly filter: GrantFilter };

/** What happened to a grant in use, told from time to time. */
export type GrantUse = {
  readonly key: GrantKey;
  readonly usedAtMs?: number;
  readonly failure?: { readonly atMs: number; readonly why: string };
};

export interface GrantRows {
  read(key: GrantKey): Promise<GrantRow | undefined>;
  /** In the place of version `after`, 0 for none. */
  write(row: GrantRow, after: number, bounds: GrantBounds): Promise<Written>;
  /** Some of those that match, gone with this: again until none is left. `removal` is remembered with the first. */
  remove(removal: GrantRemoval, limit: number): Promise<readonly GrantRow[]>;
  /** In a stable order, from behind `after`, the place of the last one that was seen. */
  list(filter: GrantFilter, page: { readonly after?: string; readonly limit: number }): Promise<GrantPage>;
  note(uses: readonly GrantUse[]): Promise<void>;
}

/** How many grants a server has and when the first ends, of those that are good and of those whose people have to log in. */
export type GrantEnd = {
  readonly server: ServerId;
  readonly status: 'good' | 'needs-login';
  readonly count: number;
  /** Absent: none of them says when it ends. */
  readonly expiresAtMs?: number;
};

export interface GrantEnds {
  /** One for each server and status at most; none where there is no grant. */
  soonest(): Promise<readonly GrantEnd[]>;
}

export type GrantPage = { readonly notes: readonly GrantNote[]; readonly next?: string };

export interface GrantLeases {
  lease(key: GrantKey, holder: string, times: { readonly nowMs: number; readonly untilMs: number }): Promise<boolean>;
  release(key: GrantKey, holder: string): Promise<void>;
}

export interface GrantRemovals {
  /** Those of later than `sinceMs`, newest first. */
  since(sinceMs: number, limit: number): Promise<readonly GrantRemoval[]>;
  /** True when there may be more. */
  forget(beforeMs: number): Promise<boolean>;
}

export interface GrantKeys {
  /** Some rows whose data key is wrapped by another key than this. */
  notUnder(keyId: string, page: { readonly after?: string; readonly limit: number }): Promise<RewrapPage>;
  /** Together, each only over the data key that was read: what was written or wrapped anew meanwhile stays. How many. */
  rewrap(changes: readonly Rewrap[]): Promise<number>;
}

export type Rewrap = { readonly place: string; readonly before: SealedRecord; readonly after: SealedRecord };

export type RewrapPage = { readonly rows: readonly { readonly place: string; readonly sealed: SealedRecord }[] };

/** All that a kind of database has to do for grants. */
export type GrantStore = GrantRows &
  GrantEnds &
  GrantLeases & { readonly removals: GrantRemovals; readonly keys: GrantKeys };
