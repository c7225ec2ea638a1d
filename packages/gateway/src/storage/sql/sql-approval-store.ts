/**
 * Approvals in a database. Their content is sealed with the gateway's key ring: a copy of the database shows no arguments,
 * and whoever can write to it but has no key can neither make up an approval nor put words into one.
 */

import type { Kysely } from 'kysely';

import type { Approval, ApprovalDecision } from '../../authz/approval.ts';
import type { ApprovalStore } from '../../authz/approval-store.ts';
import { bindingKey, statusOf, withDecision } from '../rules/approval-rules.ts';
import { StorageError, type SqlDatabase } from './sql-database.ts';
import type { ApprovalTable, Tables } from './tables.ts';

/** Authenticated encryption of one text. `open` answers undefined for whatever `seal` did not make. */
export type TextSeal = { seal(text: string): string; open(text: string): string | undefined };

/** Each try that fails means that another one got through; a loser that lost this often lost to a fault. */
const MAX_TRIES = 20;

/** What came in with a link: anything else cannot be an id, and some databases choke on it. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** How long an approval can still be looked at after its time is over. */
const KEEP_MS = 7 * 24 * 60 * 60_000;
const DELETE_AT_ONCE = 500;

export function createSqlApprovalStore(database: SqlDatabase, seal: TextSeal): ApprovalStore {
  const read = async (db: Kysely<Tables>, tenant: string, id: string): Promise<Read | undefined> => {
    if (!ID.test(id)) return undefined;
    const row = await db
      .selectFrom('approvals')
      .selectAll()
      .where('id', '=', id)
      .where('tenant', '=', tenant)
      .executeTakeFirst();
    return row === undefined ? undefined : opened(row, seal);
  };

  return {
    open: (approval) =>
      database.run(async (db) => {
        const binding = bindingKey(approval);
        for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
          const found = await openOnce(db, { approval, binding, seal });
          if (found !== undefined) return found;
        }
        throw new StorageError('an approval was opened and ended again too often at once');
      }),
    get: (tenant, id) => database.run(async (db) => (await read(db, tenant, id))?.approval),
    list: ({ tenant, status, validAtMs, limit }) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('approvals')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('status', '=', status)
          .where('expires_at_ms', '>', validAtMs)
          .orderBy('created_at_ms', 'desc')
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        return rows.flatMap((row) => opened(row, seal)?.approval ?? []);
      }),
    decide: (tenant, id, index, decision) =>
      database.run(async (db) => {
        for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
          const found = await read(db, tenant, id);
          const decided = found === undefined ? undefined : withDecision(found.approval, index, decision);
          if (found === undefined || decided === undefined) return undefined;
          if (await writeDecision(db, { found, decided, decision, seal })) return decided;
        }
        throw new StorageError('an approval was changed too often at once');
      }),
    use: (tenant, id, usedAtMs) =>
      database.run(async (db) => {
        // Read first: that it was approved is believed of the sealed decisions, not of the column.
        const found = await read(db, tenant, id);
        if (found?.approval.status !== 'approved') return false;
        const { numUpdatedRows } = await db
          .updateTable('approvals')
          .set({ status: 'used', used_at_ms: usedAtMs, open_binding: null })
          .where('id', '=', id)
          .where('tenant', '=', tenant)
          .where('status', '=', 'approved')
          .where('expires_at_ms', '>', usedAtMs)
          .executeTakeFirst();
        return numUpdatedRows === 1n;
      }),
  };
}

/** Deletes some of those whose time was over long ago; true when there may be more. */
export function deleteOldApprovals(database: SqlDatabase, nowMs: number): Promise<boolean> {
  return database.run(async (db) => {
    const { numDeletedRows } = await db
      .deleteFrom('approvals')
      .where('id', 'in', (old) =>
        old
          .selectFrom('approvals')
          .select('id')
          .where('expires_at_ms', '<', nowMs - KEEP_MS)
          .limit(DELETE_AT_ONCE),
      )
      .executeTakeFirst();
    return numDeletedRows === BigInt(DELETE_AT_ONCE);
  });
}

type Read = { readonly approval: Approval; readonly version: number };

type Opening = { readonly approval: Approval; readonly binding: string; readonly seal: TextSeal };

/**
 * Three statements, each atomic: the unique column decides between two that come at once. Undefined when what was found
 * ended meanwhile.
 */
async function openOnce(db: Kysely<Tables>, { approval, binding, seal }: Opening): Promise<Approval | undefined> {
  await db
    .updateTable('approvals')
    .set({ open_binding: null })
    .where('open_binding', '=', binding)
    .where('expires_at_ms', '<=', approval.createdAtMs)
    .execute();
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('approvals')
    .values({
      id: approval.id,
      tenant: approval.tenant,
      open_binding: binding,
      status: approval.status,
      content: seal.seal(JSON.stringify(approval)),
      version: 0,
      created_at_ms: approval.createdAtMs,
      expires_at_ms: approval.expiresAtMs,
      used_at_ms: null,
    })
    .onConflict((conflict) => conflict.column('open_binding').doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 1n) return approval;
  const row = await db.selectFrom('approvals').selectAll().where('open_binding', '=', binding).executeTakeFirst();
  if (row === undefined) return undefined;
  const found = opened(row, seal);
  if (found !== undefined && bindingKey(found.approval) === binding) return found.approval;
  // Sealed under a key that is gone, or not by us: nobody can ever decide or use it, so it must not stand in the way.
  await db.updateTable('approvals').set({ open_binding: null }).where('id', '=', row.id).execute();
  return undefined;
}

type Deciding = {
  readonly found: Read;
  readonly decided: Approval;
  readonly decision: ApprovalDecision;
  readonly seal: TextSeal;
};

async function writeDecision(db: Kysely<Tables>, { found, decided, decision, seal }: Deciding): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('approvals')
    .set({
      status: decided.status,
      content: seal.seal(JSON.stringify(decided)),
      version: found.version + 1,
      ...(decided.status === 'declined' ? { open_binding: null } : {}),
    })
    .where('id', '=', decided.id)
    .where('tenant', '=', decided.tenant)
    .where('version', '=', found.version)
    .where('status', '=', 'pending')
    .where('expires_at_ms', '>', decision.decidedAtMs)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Undefined for a row that was not sealed here, or not for this id, tenant and time: it is as if it were not there. */
function opened(row: ApprovalTable, seal: TextSeal): Read | undefined {
  const text = seal.open(row.content);
  if (text === undefined) return undefined;
  // Authenticated, and written by this file: it is what was sealed.
  const sealed: Approval = JSON.parse(text);
  if (sealed.id !== row.id || sealed.tenant !== row.tenant || sealed.expiresAtMs !== row.expires_at_ms)
    return undefined;
  const status = row.status === 'used' ? 'used' : statusOf(sealed.needs);
  if (status !== row.status) return undefined;
  const used = row.used_at_ms === null ? {} : { usedAtMs: row.used_at_ms };
  return { approval: { ...sealed, status, ...used }, version: row.version };
}
