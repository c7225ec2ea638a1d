/** Changes of API keys in a database, each taken over by one gateway. */

import type { Kysely } from 'kysely';

import type { KeyEvent, KeyEventClaim, KeyEventStore } from '../../authn/key-event-store.ts';
import type { SqlDatabase } from './sql-database.ts';
import type { KeyEventTable, Tables } from './tables.ts';

export function createSqlKeyEventStore(database: SqlDatabase): KeyEventStore {
  return {
    claim: (claim) =>
      database.run(async (db) => {
        const ids = await free(db, claim);
        // Asked every few seconds, and nearly always for nothing: reading locks nobody out, writing would.
        return ids.length === 0 ? [] : claimSome(db, ids, claim);
      }),
    recorded: (ids, nowMs) =>
      database.run(async (db) => {
        if (ids.length === 0) return;
        await db.updateTable('key_events').set({ recorded_at_ms: nowMs }).where('id', 'in', ids).execute();
      }),
  };
}

async function free(db: Kysely<Tables>, { nowMs, limit }: KeyEventClaim): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('key_events')
    .select('id')
    .where('recorded_at_ms', 'is', null)
    .where((where) => where.or([where('claimed_until_ms', 'is', null), where('claimed_until_ms', '<', nowMs)]))
    .orderBy('at_ms')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** One statement, whose conditions hold of each row as it is then: what another gateway claimed meanwhile is left to it. */
async function claimSome(
  db: Kysely<Tables>,
  ids: readonly string[],
  { nowMs, untilMs }: KeyEventClaim,
): Promise<readonly KeyEvent[]> {
  const rows = await db
    .updateTable('key_events')
    .set({ claimed_until_ms: untilMs })
    .where('id', 'in', ids)
    .where('recorded_at_ms', 'is', null)
    .where((where) => where.or([where('claimed_until_ms', 'is', null), where('claimed_until_ms', '<', nowMs)]))
    .returningAll()
    .execute();
  // What an update returns is in no order.
  return rows.map(fromRow).toSorted((one, other) => one.atMs - other.atMs || (one.id < other.id ? -1 : 1));
}

const fromRow = ({ id, at_ms: atMs, actor, action, tenant, name }: KeyEventTable): KeyEvent => ({
  id,
  atMs,
  actor,
  action,
  tenant,
  name,
});
