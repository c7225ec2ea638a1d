/** Brings a database to the newest form of the tables. Whoever calls sees to it that no other process does so meanwhile. */

import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';

import { apiKeys } from './migrations/0001-api-keys.ts';
import { approvals } from './migrations/0002-approvals.ts';
import { keyEvents } from './migrations/0003-key-events.ts';
import { auditBodies } from './migrations/0004-audit-bodies.ts';
import { endedSessions } from './migrations/0005-ended-sessions.ts';
import { grants } from './migrations/0006-grants.ts';
import { auditIndex } from './migrations/audit-index.ts';
import type { Tables } from './tables.ts';

/** A set of tables that is brought up to date by itself. */
export type TableSet = 'core' | 'audit-index';

/** In the order of their names. One that was released is never changed: the next change is another one. */
const MIGRATIONS = {
  core: {
    '0001-api-keys': apiKeys,
    '0002-approvals': approvals,
    '0003-key-events': keyEvents,
    '0004-audit-bodies': auditBodies,
    '0005-ended-sessions': endedSessions,
    '0006-grants': grants,
  },
  'audit-index': { '0001-audit-index': auditIndex },
};

/** Where it is written down which of them were done. Those of the core have the library's own names. */
const NOTES = {
  core: {},
  'audit-index': { migrationTableName: 'audit_index_migration', migrationLockTableName: 'audit_index_migration_lock' },
} as const;

/** @throws the database's error, or one that says that the database is newer than this program. */
export async function migrateToLatest(db: Kysely<Tables>, tables: TableSet): Promise<void> {
  const provider = { getMigrations: () => Promise.resolve(MIGRATIONS[tables]) };
  const { error } = await new Migrator({ db, provider, ...NOTES[tables] }).migrateToLatest();
  if (error === undefined) return;
  if (error instanceof Error && error.message.startsWith('corrupted migrations')) {
    const message = 'it was changed by another version of Sallyport than this one. Start the newest version.';
    throw new Error(message, { cause: error });
  }
  throw error;
}
