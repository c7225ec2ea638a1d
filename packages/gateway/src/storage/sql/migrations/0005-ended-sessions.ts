/** Legacy sessions that their clients ended, until their ids expire: read in the order in which they were ended. */

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const endedSessions: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('ended_sessions')
      .addColumn('nonce', 'text', (column) => column.primaryKey())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('until_ms', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('ended_sessions_order').on('ended_sessions').columns(['at_ms', 'nonce']).execute();
    await db.schema.createIndex('ended_sessions_expiry').on('ended_sessions').column('until_ms').execute();
  },
};
