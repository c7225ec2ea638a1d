/**
 * Grants in a database. What is written here is sealed already; rows are changed over the version, the lease or the data key
 * that was read, so that of several gateways one wins and none loses what another wrote.
 */

import { createHash } from 'node:crypto';

import type { Kysely } from 'kysely';

import type { GrantFilter, GrantKey } from '../../credential/grant.ts';
import type {
  GrantNote,
  GrantPage,
  GrantRemoval,
  GrantRow,
  GrantStore,
  GrantUse,
} from '../../credential/grant-rows.ts';
import { grantName, MAX_FAILURE_CHARS } from '../rules/grant-rules.ts';
import { soonestEnds, sqlGrantKeys, sqlGrantRemovals } from './sql-grant-upkeep.ts';
import type { SqlDatabase } from './sql-database.ts';
import type { GrantTable, Tables } from './tables.ts';

export type SqlGrantStoreOptions = {
  /** Who revokes: with it, a removal leaves word for the record, as the record of a running gateway is not a command's to write. */
  readonly actor?: string;
};

export function createSqlGrantStore(database: SqlDatabase, { actor }: SqlGrantStoreOptions = {}): GrantStore {
  return {
    read: (key) =>
      database.run(async (db) => {
        const row = await db.selectFrom('grants').selectAll().where('id', '=', placeOf(key)).executeTakeFirst();
        return row === undefined ? undefined : fromRow(row);
      }),
    write: (row, after, bounds) =>
      database.run(async (db) => {
        if (after > 0) return (await replace(db, row, after)) ? 'written' : 'changed-meanwhile';
        const { all, own } = await count(db, row.key);
        if (all >= bounds.maxGrants || own >= bounds.maxPerPrincipal) {
          const there = await db
            .selectFrom('grants')
            .select('id')
            .where('id', '=', placeOf(row.key))
            .executeTakeFirst();
          return there === undefined ? 'too-many' : 'changed-meanwhile';
        }
        const { numInsertedOrUpdatedRows } = await db
          .insertInto('grants')
          .values(toRow(row))
          .onConflict((conflict) => conflict.column('id').doNothing())
          .executeTakeFirstOrThrow();
        return numInsertedOrUpdatedRows === 1n ? 'written' : 'changed-meanwhile';
      }),
    remove: (removal, limit) => database.run((db) => removeSome(db, removal, { limit, actor })),
    list: (filter, { after, limit }) =>
      database.run(async (db) => {
        let query = matching(db, filter).selectAll().orderBy('id').limit(limit);
        if (after !== undefined) query = query.where('id', '>', after);
        return pageOf(await query.execute(), limit);
      }),
    note: (uses) =>
      database.run(async (db) => {
        for (const use of uses) await noteUse(db, use);
      }),
    lease: (key, holder, { nowMs, untilMs }) =>
      database.run(async (db) => {
        const { numUpdatedRows } = await db
          .updateTable('grants')
          .set({ lease_holder: holder, lease_until_ms: untilMs })
          .where('id', '=', placeOf(key))
          .where((where) =>
            where.or([
              where('lease_holder', 'is', null),
              where('lease_holder', '=', holder),
              where('lease_until_ms', '<=', nowMs),
            ]),
          )
          .executeTakeFirst();
        return numUpdatedRows === 1n;
      }),
    release: (key, holder) =>
      database.run(async (db) => {
        await db
          .updateTable('grants')
          .set({ lease_holder: null, lease_until_ms: null })
          .where('id', '=', placeOf(key))
          .where('lease_holder', '=', holder)
          .execute();
      }),
    soonest: () => soonestEnds(database),
    removals: sqlGrantRemovals(database),
    keys: sqlGrantKeys(database),
  };
}

const placeOf = (key: GrantKey): string => createHash('sha256').update(grantName(key)).digest('hex');

const matching = (db: Kysely<Tables>, { tenant, principal, server }: GrantFilter) =>
  db
    .selectFrom('grants')
    .$if(tenant !== undefined, (query) => query.where('tenant', '=', tenant ?? ''))
    .$if(principal !== undefined, (query) => query.where('principal', '=', principal ?? ''))
    .$if(server !== undefined, (query) => query.where('server', '=', server ?? ''));

async function count(db: Kysely<Tables>, { tenant, principal }: GrantKey): Promise<{ all: number; own: number }> {
  const counted = (filter: GrantFilter) =>
    matching(db, filter)
      .select(({ fn }) => fn.countAll<number | bigint | string>().as('n'))
      .executeTakeFirstOrThrow();
  return { all: Number((await counted({})).n), own: Number((await counted({ tenant, principal })).n) };
}

/** The lease goes on: whoever holds it is the one who writes, and gives it back. */
async function replace(db: Kysely<Tables>, row: GrantRow, after: number): Promise<boolean> {
  const { id, last_used_at_ms: _used, lease_holder: _holder, lease_until_ms: _until, ...changed } = toRow(row);
  const { numUpdatedRows } = await db
    .updateTable('grants')
    .set(changed)
    .where('id', '=', id)
    .where('version', '=', after)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

type Removing = { readonly limit: number; readonly actor: string | undefined };

/** Word of it goes with the first rows: a replica that sees it early forgets what it would soon not find any more. */
function removeSome(db: Kysely<Tables>, removal: GrantRemoval, { limit, actor }: Removing): Promise<GrantRow[]> {
  const { id, atMs, filter } = removal;
  const { tenant = null, principal = null, server = null } = filter;
  return db.transaction().execute(async (transaction) => {
    const { numInsertedOrUpdatedRows } = await transaction
      .insertInto('grant_removals')
      .values({ id, at_ms: atMs, tenant, principal, server })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 1n && actor !== undefined) {
      const name = [principal ?? 'everyone', server ?? 'every server'].join(' at ');
      const event = { id, at_ms: atMs, actor, action: 'credentials/revoke', tenant: tenant ?? '', name };
      await transaction.insertInto('key_events').values(event).execute();
    }
    const rows = await transaction
      .deleteFrom('grants')
      .where('id', 'in', matching(transaction, filter).select('id').orderBy('id').limit(limit))
      .returningAll()
      .execute();
    return rows.map(fromRow);
  });
}

async function noteUse(db: Kysely<Tables>, { key, usedAtMs, failure }: GrantUse): Promise<void> {
  if (usedAtMs !== undefined) {
    await db
      .updateTable('grants')
      .set({ last_used_at_ms: usedAtMs })
      .where('id', '=', placeOf(key))
      .where((where) => where.or([where('last_used_at_ms', 'is', null), where('last_used_at_ms', '<', usedAtMs)]))
      .execute();
  }
  if (failure === undefined) return;
  await db
    .updateTable('grants')
    .set({ failed_at_ms: failure.atMs, failure: failure.why.slice(0, MAX_FAILURE_CHARS) })
    .where('id', '=', placeOf(key))
    .execute();
}

/** What is new has not failed yet. */
const toRow = ({ key, version, sealed, scopes, ...times }: GrantRow): GrantTable => ({
  id: placeOf(key),
  tenant: key.tenant,
  principal: key.principal,
  server: key.server,
  version,
  key_id: sealed.keyId,
  wrapped_key: sealed.wrapped,
  content: sealed.content,
  scopes: JSON.stringify(scopes),
  obtained_at_ms: times.obtainedAtMs,
  written_at_ms: times.writtenAtMs,
  expires_at_ms: times.expiresAtMs ?? null,
  refused_at_ms: times.refusedAtMs ?? null,
  last_used_at_ms: null,
  failed_at_ms: null,
  failure: null,
  lease_holder: null,
  lease_until_ms: null,
});

function fromRow(row: GrantTable): GrantRow {
  const { keyId: _keyId, lastUsedAtMs: _used, lastFailure: _failure, ...note } = noteOf(row);
  return { ...note, sealed: { keyId: row.key_id, wrapped: row.wrapped_key, content: row.content } };
}

function noteOf(row: GrantTable): GrantNote {
  const { tenant, principal, server, failed_at_ms: failedAtMs } = row;
  const scopes: readonly string[] = JSON.parse(row.scopes);
  return {
    key: { tenant, principal, server },
    version: row.version,
    keyId: row.key_id,
    scopes,
    obtainedAtMs: row.obtained_at_ms,
    writtenAtMs: row.written_at_ms,
    ...(row.expires_at_ms === null ? {} : { expiresAtMs: row.expires_at_ms }),
    ...(row.refused_at_ms === null ? {} : { refusedAtMs: row.refused_at_ms }),
    ...(row.last_used_at_ms === null ? {} : { lastUsedAtMs: row.last_used_at_ms }),
    ...(failedAtMs === null ? {} : { lastFailure: { atMs: failedAtMs, why: row.failure ?? '' } }),
  };
}

function pageOf(rows: readonly GrantTable[], limit: number): GrantPage {
  const last = rows.length === limit ? rows.at(-1)?.id : undefined;
  return { notes: rows.map(noteOf), ...(last === undefined ? {} : { next: last }) };
}
