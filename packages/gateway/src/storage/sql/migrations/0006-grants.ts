/** What people consented to at upstreams: each grant encrypted on its own, found by whose it is and what for. */

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const grants: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('grants')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('principal', 'text', (column) => column.notNull())
      .addColumn('server', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('key_id', 'text', (column) => column.notNull())
      .addColumn('wrapped_key', 'text', (column) => column.notNull())
      .addColumn('content', 'text', (column) => column.notNull())
      .addColumn('scopes', 'text', (column) => column.notNull())
      .addColumn('obtained_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('written_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint')
      .addColumn('refused_at_ms', 'bigint')
      .addColumn('last_used_at_ms', 'bigint')
      .addColumn('failed_at_ms', 'bigint')
      .addColumn('failure', 'text')
      .addColumn('lease_holder', 'text')
      .addColumn('lease_until_ms', 'bigint')
      .execute();
    await db.schema.createIndex('grants_person').on('grants').columns(['tenant', 'principal']).execute();
    await db.schema.createIndex('grants_server').on('grants').column('server').execute();
    await db.schema.createIndex('grants_key').on('grants').columns(['key_id', 'id']).execute();
    await db.schema
      .createTable('grant_removals')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('tenant', 'text')
      .addColumn('principal', 'text')
      .addColumn('server', 'text')
      .execute();
    await db.schema.createIndex('grant_removals_time').on('grant_removals').column('at_ms').execute();
  },
};
