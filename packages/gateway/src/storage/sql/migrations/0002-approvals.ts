/** Approvals: what is looked up by in columns, everything else in one sealed text. */

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const approvals: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('approvals')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('open_binding', 'text', (column) => column.unique())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('content', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('used_at_ms', 'bigint')
      .execute();
    await db.schema
      .createIndex('approvals_waiting')
      .on('approvals')
      .columns(['tenant', 'status', 'created_at_ms'])
      .execute();
    await db.schema.createIndex('approvals_expiry').on('approvals').column('expires_at_ms').execute();
  },
};
