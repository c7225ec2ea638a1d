/** What is done to grants in a database beside using them: telling replicas of removals, and wrapping data keys anew. */

import { randomUUID } from 'node:crypto';

import type { GrantEnd, GrantKeys, GrantRemoval, GrantRemovals } from '../../credential/grant-rows.ts';
import type { SqlDatabase } from './sql-database.ts';
import type { GrantRemovalTable } from './tables.ts';

const FORGOTTEN_AT_ONCE = 500;

export function sqlGrantRemovals(database: SqlDatabase): GrantRemovals {
  return {
    since: (sinceMs, limit) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('grant_removals')
          .selectAll()
          .where('at_ms', '>', sinceMs)
          .orderBy('at_ms', 'desc')
          .orderBy('id')
          .limit(limit)
          .execute();
        return rows.map(fromRow);
      }),
    forget: (beforeMs) =>
      database.run(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom('grant_removals')
          .where('id', 'in', (old) =>
            old.selectFrom('grant_removals').select('id').where('at_ms', '<', beforeMs).limit(FORGOTTEN_AT_ONCE),
          )
          .executeTakeFirst();
        return numDeletedRows === BigInt(FORGOTTEN_AT_ONCE);
      }),
  };
}

const fromRow = ({ id, at_ms: atMs, tenant, principal, server }: GrantRemovalTable): GrantRemoval => ({
  id,
  atMs,
  filter: {
    ...(tenant === null ? {} : { tenant }),
    ...(principal === null ? {} : { principal }),
    ...(server === null ? {} : { server }),
  },
});

export function sqlGrantKeys(database: SqlDatabase): GrantKeys {
  return {
    notUnder: (keyId, { after, limit }) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('grants')
          .select(['id', 'key_id', 'wrapped_key', 'content'])
          .where('key_id', '!=', keyId)
          .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
          .orderBy('id')
          .limit(limit)
          .execute();
        return {
          rows: rows.map(({ id, key_id: of, wrapped_key: wrapped, content }) => ({
            place: id,
            sealed: { keyId: of, wrapped, content },
          })),
        };
      }),
    rewrap: (changes) =>
      database.run((db) =>
        db.transaction().execute(async (transaction) => {
          let count = 0n;
          for (const { place, before, after } of changes) {
            const { numUpdatedRows } = await transaction
              .updateTable('grants')
              .set({ key_id: after.keyId, wrapped_key: after.wrapped })
              .where('id', '=', place)
              .where('wrapped_key', '=', before.wrapped)
              .executeTakeFirst();
            count += numUpdatedRows;
          }
          return Number(count);
        }),
      ),
  };
}

/** Who rotated the key, for the record: the file of a running gateway is locked, and it takes this over. */
export const noteRotation = (database: SqlDatabase, actor: string, keyId: string): Promise<void> =>
  database.run(async (db) => {
    const event = {
      id: randomUUID(),
      at_ms: Date.now(),
      actor,
      action: 'credentials/rotate-key',
      tenant: '',
      name: keyId,
    };
    await db.insertInto('key_events').values(event).execute();
  });

export const soonestEnds = (database: SqlDatabase): Promise<readonly GrantEnd[]> =>
  database.run(async (db) => {
    const ends = (status: GrantEnd['status']) =>
      db
        .selectFrom('grants')
        .select(({ fn }) => [
          'server',
          fn.min('expires_at_ms').as('ends'),
          fn.countAll<number | bigint | string>().as('n'),
        ])
        .where('refused_at_ms', status === 'good' ? 'is' : 'is not', null)
        .groupBy('server')
        .execute();
    const found: GrantEnd[] = [];
    for (const status of ['good', 'needs-login'] as const) {
      for (const { server, ends: first, n } of await ends(status)) {
        const end = first === null ? {} : { expiresAtMs: first };
        found.push({ server, status, count: Number(n), ...end });
      }
    }
    return found;
  });
