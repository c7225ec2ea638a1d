/**
 * A database that may be away: opened when it is first needed, and again when it was lost. Whatever happens to it, work
 * ends within a second, and nothing is answered from memory.
 */

import { setTimeout as pause } from 'node:timers/promises';

import type { Kysely } from 'kysely';

import type { Logger } from '../../telemetry/logger.ts';
import type { Backend, OpenDatabase } from './backend.ts';
import type { Tables } from './tables.ts';
import { within } from './within.ts';

/** The database could not do it in time. The message names it and the reason, and holds no value of a query. */
export class StorageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StorageError';
  }
}

export type SqlDatabaseOptions = {
  readonly backend: Backend;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** For one piece of work, conflicts and reconnecting included. Default 1,000. */
  readonly timeoutMs?: number;
  /** Pieces of work at once; more are refused. Default 1,000. */
  readonly maxAtOnce?: number;
};

/** While a database cannot be opened it is tried this often, however many ask. */
const REOPEN_MS = 500;
const CONFLICT_PAUSE_MS = 10;
const CLOSE_MS = 2_000;

export class SqlDatabase {
  readonly #options: Required<SqlDatabaseOptions>;
  #open: OpenDatabase | undefined;
  #opening: Promise<OpenDatabase> | undefined;
  #openFailure: { readonly error: unknown; readonly atMs: number } | undefined;
  #away: string | undefined;
  #atOnce = 0;
  #closed = false;

  constructor(options: SqlDatabaseOptions) {
    this.#options = { timeoutMs: 1_000, maxAtOnce: 1_000, ...options };
  }

  get place(): string {
    return this.#options.backend.place;
  }

  /** Why the last work failed; undefined while all is well. */
  get away(): string | undefined {
    return this.#away;
  }

  /** Waits until it is open, at most so long. Not open by then, it is opened when it is needed. Never throws. */
  async ready(timeoutMs: number): Promise<boolean> {
    try {
      await within(timeoutMs, `no answer within ${timeoutMs} ms`, this.#opened());
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** @throws StorageError */
  async run<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    const { timeoutMs, maxAtOnce } = this.#options;
    if (this.#closed) throw new StorageError(`${this.place}: closed`);
    if (this.#atOnce >= maxAtOnce) throw new StorageError(`${this.place}: more than ${maxAtOnce} wait for it already`);
    this.#atOnce += 1;
    const untilMs = this.#options.clockMs() + timeoutMs;
    try {
      const result = await within(timeoutMs, `no answer within ${timeoutMs} ms`, this.#attempt(work, untilMs));
      this.#answered();
      return result;
    } catch (error) {
      throw this.#failed(error);
    } finally {
      this.#atOnce -= 1;
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const opening = this.#opening?.catch(() => undefined);
    const open =
      this.#open ?? (await within(CLOSE_MS, 'closing', opening ?? Promise.resolve(undefined)).catch(() => {}));
    this.#open = undefined;
    await this.#discard(open ?? undefined);
  }

  async #attempt<T>(work: (db: Kysely<Tables>) => Promise<T>, untilMs: number): Promise<T> {
    for (;;) {
      const open = await this.#opened();
      try {
        return await work(open.db);
      } catch (error) {
        if (open.isLost(error)) this.#lose(open);
        if (!open.isConflict(error) || this.#options.clockMs() + CONFLICT_PAUSE_MS >= untilMs) throw error;
      }
      await pause(CONFLICT_PAUSE_MS);
    }
  }

  async #opened(): Promise<OpenDatabase> {
    const open = this.#open;
    if (open !== undefined && !open.isLost()) return open;
    if (open !== undefined) this.#lose(open);
    const { backend, clockMs } = this.#options;
    const failure = this.#openFailure;
    if (failure !== undefined && clockMs() - failure.atMs < REOPEN_MS) throw failure.error;
    this.#opening ??= backend
      .open()
      .then((opened) => {
        this.#openFailure = undefined;
        this.#open = opened;
        return opened;
      })
      .catch((error: unknown) => {
        this.#openFailure = { error, atMs: clockMs() };
        throw error;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  #lose(open: OpenDatabase): void {
    if (this.#open === open) this.#open = undefined;
    void this.#discard(open);
  }

  async #discard(open: OpenDatabase | undefined): Promise<void> {
    if (open === undefined) return;
    // A connection that does not answer does not say good-bye either.
    await within(CLOSE_MS, 'closing', open.close()).catch(() => {});
  }

  #answered(): void {
    if (this.#away === undefined) return;
    this.#away = undefined;
    this.#options.logger.info({ storage: this.place }, 'the database answers again');
  }

  #failed(error: unknown): StorageError {
    const reason = reasonOf(error);
    if (this.#away === undefined && !this.#closed) {
      this.#options.logger.warn({ storage: this.place, reason }, 'the database cannot be used');
    }
    this.#away = reason;
    return new StorageError(`${this.place}: ${reason}`, { cause: error });
  }
}

/** Connecting to a name with several addresses fails with an error that has only its parts to say. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
