/** The index of the audit record. Its tables stand beside the others in PostgreSQL, and in a file of their own with SQLite. */

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

const TEXTS = [
  'authority',
  'chain',
  'class',
  'event',
  'tenant',
  'who',
  'client',
  'client_id',
  'kind',
  'server',
  'target',
  'decision',
  'outcome',
  'result',
  'request_id',
  'run_id',
] as const;

const INDEXES: Readonly<Record<string, readonly string[]>> = {
  audit_records_time: ['time_ms', 'sequence', 'uid'],
  audit_records_who: ['who', 'time_ms'],
  audit_records_target: ['target', 'time_ms'],
  audit_records_request: ['request_id'],
  audit_records_run: ['run_id', 'time_ms'],
  audit_records_class: ['class', 'time_ms'],
};

export const auditIndex: Migration = {
  async up(db: Kysely<unknown>) {
    let table = db.schema
      .createTable('audit_records')
      .addColumn('uid', 'text', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('time_ms', 'bigint', (column) => column.notNull());
    for (const name of TEXTS) table = table.addColumn(name, 'text', (column) => column.notNull());
    await table
      .addColumn('is_closed', 'integer', (column) => column.notNull())
      .addColumn('line', 'text', (column) => column.notNull())
      .execute();
    for (const [name, columns] of Object.entries(INDEXES)) {
      await db.schema
        .createIndex(name)
        .on('audit_records')
        .columns([...columns])
        .execute();
    }
    await db.schema
      .createTable('audit_positions')
      .addColumn('source', 'text', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('uid', 'text', (column) => column.notNull())
      .addColumn('first_in_file', 'bigint', (column) => column.notNull())
      .addColumn('at_byte', 'bigint', (column) => column.notNull())
      .addColumn('missed', 'bigint', (column) => column.notNull())
      .execute();
  },
};
