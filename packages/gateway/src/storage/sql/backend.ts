/** The port of a kind of database: how it is opened, and what its errors mean. Everything else is the same for all. */

import type { Kysely } from 'kysely';

import type { Tables } from './tables.ts';

export interface Backend {
  /** For messages: `PostgreSQL at db.internal:5432/sallyport`. Holds no password. */
  readonly place: string;
  /** A database with all its tables, safe when several processes start at once. @throws when it is away */
  open(): Promise<OpenDatabase>;
}

export interface OpenDatabase {
  readonly db: Kysely<Tables>;
  /** The same work may succeed when it is tried again at once: another process was in the way. */
  isConflict(error: unknown): boolean;
  /** It has to be opened again, by what its last error or a look at it says. */
  isLost(error?: unknown): boolean;
  close(): Promise<void>;
}
