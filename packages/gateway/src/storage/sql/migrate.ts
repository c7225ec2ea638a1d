/** Brings a database to the newest form of the tables. Whoever calls sees to it that no other process does so meanwhile. */

import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';

import { apiKeys } from './migrations/0001-api-keys.ts';
import { approvals } from './migrations/0002-approvals.ts';
import { keyEvents } from './migrations/0003-key-events.ts';
import { auditBodies } from './migrations/0005-audit-bodies.ts';
import type { Tables } from './tables.ts';

/** In the order of their names. One that was released is never changed: the next change is another one. */
const MIGRATIONS = {
  '0001-api-keys': apiKeys,
  '0002-approvals': approvals,
  '0003-key-events': keyEvents,
  '0005-audit-bodies': auditBodies,
};

/** @throws the database's error, or one that says that the database is newer than this program. */
export async function migrateToLatest(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  if (error instanceof Error && error.message.startsWith('corrupted migrations')) {
    const message = 'it was changed by another version of Sallyport than this one. Start the newest version.';
    throw new Error(message, { cause: error });
  }
  throw error;
}
