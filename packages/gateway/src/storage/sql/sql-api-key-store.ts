/** API keys in a database. Only hashes are in it. */

import { randomUUID } from 'node:crypto';

import type { Kysely } from 'kysely';

import type { ApiKeyStore, StoredApiKey } from '../../authn/api-key-store.ts';
import { err, ok } from '../../model/result.ts';
import type { SqlDatabase } from './sql-database.ts';
import type { ApiKeyTable, KeyEventTable, Tables } from './tables.ts';

export type SqlApiKeyStoreOptions = {
  /** Who changes keys through this store; each change is kept with it. */
  readonly actor: string;
  readonly now: () => number;
};

/** A transaction of this many is over in a few milliseconds, and holds no other writer up for longer. */
const USES_AT_ONCE = 200;

export function createSqlApiKeyStore(database: SqlDatabase, { actor, now }: SqlApiKeyStoreOptions): ApiKeyStore {
  type Event = Pick<KeyEventTable, 'action' | 'tenant' | 'name'>;
  const keep = (db: Kysely<Tables>, event: Event): Promise<unknown> =>
    db
      .insertInto('key_events')
      .values({ id: randomUUID(), at_ms: now(), actor, ...event, claimed_until_ms: null, recorded_at_ms: null })
      .execute();

  return {
    create: (key) =>
      database.run((db) =>
        db.transaction().execute(async (transaction) => {
          const made = await transaction
            .insertInto('api_keys')
            .values({ ...toRow(key), revoked_at_ms: null, last_used_at_ms: null })
            .onConflict((conflict) => conflict.doNothing())
            .returningAll()
            .executeTakeFirst();
          if (made !== undefined) {
            await keep(transaction, { action: 'create', tenant: key.tenant, name: key.name });
            return ok(fromRow(made));
          }
          const same = await transaction
            .selectFrom('api_keys')
            .select('id')
            .where('hash', '=', key.hash)
            .executeTakeFirst();
          return err(same === undefined ? 'name-taken' : 'hash-taken');
        }),
      ),
    findByHash: (hash) =>
      database.run(async (db) => {
        const row = await db.selectFrom('api_keys').selectAll().where('hash', '=', hash).executeTakeFirst();
        return row === undefined ? undefined : fromRow(row);
      }),
    list: (only) =>
      database.run(async (db) => {
        const all = db.selectFrom('api_keys').selectAll();
        if (only === undefined) return (await all.orderBy('created_at_ms').orderBy('id').execute()).map(fromRow);
        const ending = all
          .where('revoked_at_ms', 'is', null)
          .where('expires_at_ms', '>=', only.fromMs)
          .where('expires_at_ms', '<', only.untilMs);
        const rows = await ending.orderBy('expires_at_ms').orderBy('id').limit(only.limit).execute();
        return rows.map(fromRow);
      }),
    change: (tenant, name, change) =>
      database.run((db) =>
        db.transaction().execute(async (transaction) => {
          const [changes, action] =
            'revokedAtMs' in change
              ? [{ revoked_at_ms: change.revokedAtMs }, 'revoke']
              : [{ expires_at_ms: change.expiresAtMs }, 'expire'];
          const { numUpdatedRows } = await transaction
            .updateTable('api_keys')
            .set(changes)
            .where('tenant', '=', tenant)
            .where('name', '=', name)
            .where('revoked_at_ms', 'is', null)
            .executeTakeFirst();
          if (numUpdatedRows === 0n) return false;
          await keep(transaction, { action, tenant, name });
          return true;
        }),
      ),
    async noteUses(uses) {
      // In one order for all: two replicas that note the same keys never wait for each other.
      const sorted = uses.toSorted((one, other) => (one.id < other.id ? -1 : 1));
      for (let from = 0; from < sorted.length; from += USES_AT_ONCE) {
        await database.run((db) => noteSome(db, sorted.slice(from, from + USES_AT_ONCE)));
      }
    },
  };
}

function noteSome(db: Kysely<Tables>, uses: Parameters<ApiKeyStore['noteUses']>[0]): Promise<void> {
  return db.transaction().execute(async (transaction) => {
    for (const { id, usedAtMs } of uses) {
      await transaction
        .updateTable('api_keys')
        .set({ last_used_at_ms: usedAtMs })
        .where('id', '=', id)
        .where((where) => where.or([where('last_used_at_ms', 'is', null), where('last_used_at_ms', '<', usedAtMs)]))
        .execute();
    }
  });
}

const toRow = (key: Parameters<ApiKeyStore['create']>[0]): Omit<ApiKeyTable, 'revoked_at_ms' | 'last_used_at_ms'> => ({
  id: key.id,
  tenant: key.tenant,
  name: key.name,
  hash: key.hash,
  hint: key.hint,
  group_names: JSON.stringify(key.groups),
  created_at_ms: key.createdAtMs,
  expires_at_ms: key.expiresAtMs ?? null,
});

const fromRow = (row: ApiKeyTable): StoredApiKey => ({
  id: row.id,
  tenant: row.tenant,
  name: row.name,
  hash: row.hash,
  hint: row.hint,
  groups: parseGroups(row.group_names),
  createdAtMs: row.created_at_ms,
  ...(row.expires_at_ms === null ? {} : { expiresAtMs: row.expires_at_ms }),
  ...(row.revoked_at_ms === null ? {} : { revokedAtMs: row.revoked_at_ms }),
  ...(row.last_used_at_ms === null ? {} : { lastUsedAtMs: row.last_used_at_ms }),
});

/** Anything else than what was written is no group: a changed row never grants more. */
function parseGroups(text: string): readonly string[] {
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? value.filter((group) => typeof group === 'string') : [];
}
