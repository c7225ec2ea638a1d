/**
 * Kept bodies in a database, sealed with the gateway's key ring: a copy of the database shows neither what was sent nor whose
 * it was. Erasing one deletes its salt with it.
 */

import { randomUUID } from 'node:crypto';

import type { Kysely } from 'kysely';

import type { BodyPlace, BodyStore, StoredBody } from '../../audit/body-store.ts';
import type { TextSeal } from './sql-approval-store.ts';
import type { SqlDatabase } from './sql-database.ts';
import type { AuditBodyTable, Tables } from './tables.ts';

export type SqlBodyStoreOptions = {
  readonly seal: TextSeal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Lets other work run: sealing one body takes up to a millisecond. */
  readonly yieldNow: () => Promise<void>;
};

/** What came in with a request: anything else cannot be an id, and some databases choke on it. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

const AT_ONCE = 200;

/** Who erased whose bodies, for the record: the file of a running gateway is locked, and it takes this over. */
export type Erasure = { readonly actor: string; readonly tenant: string; readonly of: string };

/** So many in one transaction. */
const ERASED_AT_ONCE = 1_000;

/** Erases bodies of one tenant, and leaves word of it in the same transaction. How many there were. */
export async function eraseForPerson(
  database: SqlDatabase,
  places: readonly BodyPlace[],
  { actor, tenant, of }: Erasure,
): Promise<number> {
  let erased = 0;
  for (let from = 0; from < places.length; from += ERASED_AT_ONCE) {
    const some = places.slice(from, from + ERASED_AT_ONCE);
    erased += await database.run((db) =>
      db.transaction().execute(async (transaction) => {
        let count = 0;
        for (let at = 0; at < some.length; at += AT_ONCE)
          count += await eraseIn(transaction, some.slice(at, at + AT_ONCE));
        const event = { id: randomUUID(), at_ms: Date.now(), actor, action: 'bodies/erase', tenant };
        await transaction
          .insertInto('key_events')
          .values({ ...event, name: `${of}: ${count}` })
          .execute();
        return count;
      }),
    );
  }
  return erased;
}

export function createSqlBodyStore(database: SqlDatabase, { seal, now, yieldNow }: SqlBodyStoreOptions): BodyStore {
  return {
    async put(bodies) {
      const rows: AuditBodyTable[] = [];
      for (const body of bodies) {
        rows.push(toRow(body, seal));
        await yieldNow();
      }
      if (rows.length === 0) return;
      await database.run((db) =>
        db
          .insertInto('audit_bodies')
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .execute(),
      );
    },
    async get(requestId, tenant) {
      if (!ID.test(requestId)) return undefined;
      const row = await database.run((db) => {
        const query = db
          .selectFrom('audit_bodies')
          .selectAll()
          .where('request_id', '=', requestId)
          .where('expires_at_ms', '>', now());
        return (tenant === undefined ? query : query.where('tenant', '=', tenant)).executeTakeFirst();
      });
      return row === undefined ? undefined : opened(row, seal);
    },
    async list(after, limit) {
      const bodies: StoredBody[] = [];
      const rows = await database.run((db) => {
        const query = db.selectFrom('audit_bodies').selectAll().orderBy('request_id').limit(limit);
        return (after === undefined ? query : query.where('request_id', '>', after)).execute();
      });
      for (const row of rows) {
        bodies.push(opened(row, seal) ?? unreadable(row));
        await yieldNow();
      }
      return bodies;
    },
    async erase(places) {
      let erased = 0;
      for (let from = 0; from < places.length; from += AT_ONCE) {
        erased += await database.run((db) => eraseIn(db, places.slice(from, from + AT_ONCE)));
      }
      return erased;
    },
    deleteExpired: (nowMs) =>
      database.run(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom('audit_bodies')
          .where('request_id', 'in', (old) =>
            old.selectFrom('audit_bodies').select('request_id').where('expires_at_ms', '<=', nowMs).limit(AT_ONCE),
          )
          .executeTakeFirst();
        return numDeletedRows === BigInt(AT_ONCE);
      }),
  };
}

async function eraseIn(db: Kysely<Tables>, places: readonly BodyPlace[]): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('audit_bodies')
    .where((where) =>
      where.or(
        places.map(({ requestId, tenant }) =>
          where.and([where('request_id', '=', requestId), where('tenant', '=', tenant)]),
        ),
      ),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

const toRow = (body: StoredBody, seal: TextSeal): AuditBodyTable => ({
  request_id: body.requestId,
  tenant: body.tenant,
  content: seal.seal(JSON.stringify(body)),
  expires_at_ms: body.expiresAtMs,
});

/** Undefined for a row that was not sealed here, or not for this request and tenant. */
function opened(row: AuditBodyTable, seal: TextSeal): StoredBody | undefined {
  const text = seal.open(row.content);
  if (text === undefined) return undefined;
  // Authenticated, and written by this file: it is what was sealed.
  const body: StoredBody = JSON.parse(text);
  return body.requestId === row.request_id && body.tenant === row.tenant ? body : undefined;
}

/** Sealed under a key that is gone: nobody can read it, and a list does not end there. */
const unreadable = ({ request_id: requestId, tenant, expires_at_ms: expiresAtMs }: AuditBodyTable): StoredBody => ({
  requestId,
  tenant,
  issuer: '',
  subject: '',
  name: '',
  address: '',
  madeAtMs: 0,
  expiresAtMs,
  salt: '',
  content: '{}',
});
