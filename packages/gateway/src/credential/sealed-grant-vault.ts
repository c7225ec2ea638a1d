/**
 * The vault: grants encrypted one by one, bound to tenant, person, server and version, over whatever keeps the rows. Nothing is
 * held here between two calls: a grant that nobody uses is in the database alone, and there as ciphertext.
 */

import { randomUUID } from 'node:crypto';

import type { Envelope } from './envelope.ts';
import type { Grant, GrantFilter, GrantKey, GrantVault, KeptGrant } from './grant.ts';
import type { GrantBounds, GrantRow, GrantStore } from './grant-rows.ts';
import { grantText, parseGrant } from './grant-text.ts';
import { WrappingKeyError } from './key-wrapper.ts';

export type SealedGrantVaultOptions = {
  readonly store: GrantStore;
  readonly envelope: Envelope;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly bounds?: GrantBounds;
  /** For the home of the wrapping key to answer. Default 5,000. */
  readonly timeoutMs?: number;
};

/** What was removed; `grant` is absent where its key is gone. */
export type RemovedGrant = { readonly key: GrantKey; readonly version: number; readonly grant?: Grant };

export interface SealedGrantVault extends GrantVault {
  /** Like `remove`, and also tells of what nobody can open any more. */
  take(filter: GrantFilter): Promise<readonly RemovedGrant[]>;
}

/** There are as many grants as there may be. The message says what to do. */
export class TooManyGrantsError extends Error {
  constructor({ maxGrants, maxPerPrincipal }: GrantBounds) {
    super(
      `There are ${maxGrants} grants, or ${maxPerPrincipal} of this person, and no more are kept. Revoke some: sallyport credentials revoke`,
    );
    this.name = 'TooManyGrantsError';
  }
}

export const DEFAULT_GRANT_BOUNDS: GrantBounds = { maxGrants: 100_000, maxPerPrincipal: 100 };

/** So many in one transaction. */
const REMOVED_AT_ONCE = 500;
const LISTED_AT_ONCE = 200;
/** The home of the wrapping key may be another machine. */
const OPENED_AT_ONCE = 32;
/** Opened for one caller; the rest is told by `list` of the store, unopened. */
const MAX_LISTED = 1_000;

export function createSealedGrantVault(options: SealedGrantVaultOptions): SealedGrantVault {
  const { store, envelope, now, bounds = DEFAULT_GRANT_BOUNDS, timeoutMs = 5_000 } = options;
  const soon = (): AbortSignal => AbortSignal.timeout(timeoutMs);

  const open = async ({ key, version, sealed }: GrantRow): Promise<KeptGrant> => {
    const grant = parseGrant(await envelope.open(sealed, bindingOf(key, version), soon()));
    if (grant === undefined) {
      throw new WrappingKeyError(
        sealed.keyId,
        'A grant was written by another version of Sallyport. Start the newest.',
      );
    }
    return { key, version, grant };
  };

  const take = async (filter: GrantFilter): Promise<readonly RemovedGrant[]> => {
    const removal = { id: randomUUID(), atMs: now(), filter };
    const removed: RemovedGrant[] = [];
    for (;;) {
      const rows = await store.remove(removal, REMOVED_AT_ONCE);
      for (let from = 0; from < rows.length; from += OPENED_AT_ONCE) {
        removed.push(...(await Promise.all(rows.slice(from, from + OPENED_AT_ONCE).map(opened))));
      }
      if (rows.length < REMOVED_AT_ONCE) return removed;
    }
  };
  const opened = async (row: GrantRow): Promise<RemovedGrant> => {
    try {
      return await open(row);
    } catch {
      // Gone from here is what was asked for; that its issuer cannot be told is the caller's to say.
      return { key: row.key, version: row.version };
    }
  };

  return {
    async read(key, known) {
      const row = await store.read(key);
      if (row === undefined) return undefined;
      return known !== undefined && isSame(row, known) ? known : open(row);
    },
    async write(key, grant, after) {
      const version = after + 1;
      const sealed = await envelope.seal(grantText(grant), bindingOf(key, version), soon());
      const written = await store.write(rowOf({ key, version, grant }, sealed, now()), after, bounds);
      if (written === 'too-many') throw new TooManyGrantsError(bounds);
      return written === 'written';
    },
    take,
    async remove(filter) {
      const removed = await take(filter);
      return removed.flatMap(({ key, version, grant }) => (grant === undefined ? [] : [{ key, version, grant }]));
    },
    async list(filter) {
      const found: KeptGrant[] = [];
      let after: string | undefined;
      do {
        const page = await store.list(filter, { ...(after === undefined ? {} : { after }), limit: LISTED_AT_ONCE });
        for (const { key } of page.notes) {
          const row = await store.read(key);
          const grant = row === undefined ? undefined : (await opened(row)).grant;
          // One person's lost key is no reason to tell nothing of the others; the store's own list has them all.
          if (row !== undefined && grant !== undefined) found.push({ key, version: row.version, grant });
        }
        after = page.next;
      } while (after !== undefined && found.length < MAX_LISTED);
      return found;
    },
    async lease(key, holder, untilMs) {
      if (!(await store.lease(key, holder, { nowMs: now(), untilMs }))) return false;
      try {
        // A token that is renewed and then cannot be encrypted is lost, and its predecessor is used up at its issuer.
        await envelope.ready(soon());
        return true;
      } catch (error) {
        await store.release(key, holder);
        throw error;
      }
    },
    release: (key, holder) => store.release(key, holder),
  };
}

/** A person who logs in again after a revocation begins with version 1 anew, at another time. */
const isSame = (row: GrantRow, { version, grant }: KeptGrant): boolean =>
  row.version === version && row.obtainedAtMs === grant.obtainedAtMs && row.expiresAtMs === grant.expiresAtMs;

const bindingOf = ({ tenant, principal, server }: GrantKey, version: number): readonly (string | number)[] => [
  'grant',
  tenant,
  principal,
  server,
  version,
];

function rowOf({ key, version, grant }: KeptGrant, sealed: GrantRow['sealed'], writtenAtMs: number): GrantRow {
  const { scopes, obtainedAtMs, expiresAtMs, refusedAtMs } = grant;
  return {
    key,
    version,
    sealed,
    scopes,
    obtainedAtMs,
    writtenAtMs,
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(refusedAtMs === undefined ? {} : { refusedAtMs }),
  };
}
