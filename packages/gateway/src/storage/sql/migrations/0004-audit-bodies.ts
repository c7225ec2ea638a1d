/** Bodies of calls, where they are kept: one sealed text, found by its request and deleted by its time. */

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const auditBodies: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('audit_bodies')
      .addColumn('request_id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('content', 'text', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('audit_bodies_expiry').on('audit_bodies').column('expires_at_ms').execute();
  },
};
