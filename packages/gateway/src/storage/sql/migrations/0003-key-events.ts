/** Changes of API keys are taken over into an audit record: which were, and which a gateway is about to. */

import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const keyEvents: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('key_events').addColumn('claimed_until_ms', 'bigint').execute();
    await db.schema.alterTable('key_events').addColumn('recorded_at_ms', 'bigint').execute();
    // Only what is left to do: it stays empty however long the history becomes.
    await db.schema
      .createIndex('key_events_unrecorded')
      .on('key_events')
      .columns(['at_ms', 'id'])
      .where(sql.ref('recorded_at_ms'), 'is', null)
      .execute();
  },
};
