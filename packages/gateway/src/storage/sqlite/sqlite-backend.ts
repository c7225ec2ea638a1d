/**
 * SQLite in one file: the gateway, and commands beside it, write to it at once (WAL). Its calls are synchronous, so a wait
 * for another writer holds the whole gateway up: it is kept short here, and longer waits happen between tries.
 */

import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';

import type { Backend, OpenDatabase } from '../sql/backend.ts';
import { migrateToLatest, type TableSet } from '../sql/migrate.ts';
import type { Tables } from '../sql/tables.ts';

export type SqliteBackendOptions = {
  /** Absolute. */
  readonly file: string;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Default `core`. */
  readonly tables?: TableSet;
};

/** Nothing else happens in the process meanwhile. */
const BUSY_MS = 5;
const BUSY_PAUSE_MS = 20;
/** For two that start at once on an empty file: the migrations of the other one. */
const OPEN_MS = 30_000;
/** How often it is looked whether the file is still the one that is open. */
const LOOK_MS = 1_000;

export function createSqliteBackend({ file, clockMs, tables = 'core' }: SqliteBackendOptions): Backend {
  let opened = false;
  return {
    place: `the SQLite database ${file}`,
    async open() {
      // A file that was there and is gone is not made anew by the gateway: with an empty one, revoked keys would be unknown
      // ones only by luck of the configuration, and approvals that were used up would be forgotten.
      if (opened) statSync(file);
      else prepareFile(file);
      const handle = new Database(file, { timeout: BUSY_MS });
      try {
        const db = await prepare(handle, tables, clockMs);
        opened = true;
        return watched({ db, file, clockMs });
      } catch (error) {
        handle.close();
        throw error;
      }
    },
  };
}

/** Readable by their owner only, from the first moment on: SQLite gives the files beside it the same mode. */
function prepareFile(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, 'a', 0o600));
}

async function prepare(handle: Database.Database, tables: TableSet, clockMs: () => number): Promise<Kysely<Tables>> {
  const untilMs = clockMs() + OPEN_MS;
  // Changing the journal needs the file alone for a moment, and does not wait for it by itself.
  await retried(() => handle.pragma('journal_mode = WAL'), untilMs, clockMs);
  // What was answered survives a power cut: a used approval must not be unused again. What is indexed may be indexed again,
  // because its position goes with it.
  handle.pragma(`synchronous = ${tables === 'core' ? 'FULL' : 'NORMAL'}`);
  // As in PostgreSQL, and as patterns over names are everywhere else.
  if (tables === 'audit-index') handle.pragma('case_sensitive_like = ON');
  // What is deleted is overwritten: an erased body does not stay readable in free pages.
  handle.pragma('secure_delete = ON');
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: handle }) });
  await retried(() => handle.exec('begin immediate'), untilMs, clockMs);
  try {
    await migrateToLatest(db, tables);
    handle.exec('commit');
  } catch (error) {
    if (handle.inTransaction) handle.exec('rollback');
    throw error;
  }
  return db;
}

async function retried(action: () => unknown, untilMs: number, clockMs: () => number): Promise<void> {
  for (;;) {
    try {
      action();
      return;
    } catch (error) {
      if (!isBusy(error) || clockMs() >= untilMs) throw error;
    }
    await pause(BUSY_PAUSE_MS);
  }
}

type Watched = { readonly db: Kysely<Tables>; readonly file: string; readonly clockMs: () => number };

function watched({ db, file, clockMs }: Watched): OpenDatabase {
  const inode = inodeOf(file);
  let lookedMs = clockMs();
  return {
    db,
    isConflict: isBusy,
    isLost(error) {
      if (error !== undefined) return /^SQLITE_(?:CORRUPT|IOERR|NOTADB|CANTOPEN|READONLY)/.test(codeOf(error));
      if (clockMs() - lookedMs < LOOK_MS) return false;
      lookedMs = clockMs();
      // An open file that was removed or replaced goes on answering: keys revoked in the new one would still be good.
      return inodeOf(file) !== inode;
    },
    close: () => db.destroy(),
  };
}

function inodeOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}/${found.ino}`;
}

const isBusy = (error: unknown): boolean => /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(error));

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
