/** PostgreSQL by URL: a bounded pool whose connections are thrown away as soon as one of them fails to answer. */

import {
  Kysely,
  PostgresDialect,
  type PostgresCursor,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
} from 'kysely';
import { DatabaseError, Pool, types, type PoolClient, type PoolConfig } from 'pg';

import type { Secret } from '../../model/secret.ts';
import type { Backend, OpenDatabase } from '../sql/backend.ts';
import { migrateToLatest, type TableSet } from '../sql/migrate.ts';
import type { Tables } from '../sql/tables.ts';
import { parsePostgresUrl, type PostgresAddress } from './postgres-url.ts';

export type PostgresBackendOptions = {
  /** Asked again for each new connection, so that a rotated password is used without a restart. */
  readonly url: () => Promise<Secret>;
  /** What `url` says now, for messages. */
  readonly address: PostgresAddress;
  /** Default 10. */
  readonly maxConnections?: number;
  /** For a connection, and for a statement. Default 900. */
  readonly timeoutMs?: number;
  /** Default `core`. */
  readonly tables?: TableSet;
};

/** A migration may have to wait for another gateway's. */
const MIGRATION_MS = 60_000;
const INT8 = 20;

export function createPostgresBackend(options: PostgresBackendOptions): Backend {
  const { address, maxConnections = 10, timeoutMs = 900 } = options;
  const { host, port, user, database } = address;
  const login: PoolConfig = {
    host,
    port,
    ...(user === undefined ? {} : { user }),
    ...(database === undefined ? {} : { database }),
    ...(address.password === undefined ? {} : { password: () => currentPassword(options) }),
    ssl: address.ssl,
    application_name: 'sallyport',
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    types: { getTypeParser: typeParser },
  };
  return {
    place: `PostgreSQL at ${host}:${port}${database === undefined ? '' : `/${database}`}`,
    async open() {
      const patient = { ...login, max: 1, statement_timeout: MIGRATION_MS, query_timeout: MIGRATION_MS };
      await migrate(patient, options.tables ?? 'core');
      return openPool({
        ...login,
        max: maxConnections,
        statement_timeout: timeoutMs,
        query_timeout: timeoutMs,
        idle_in_transaction_session_timeout: 5 * timeoutMs,
        idleTimeoutMillis: 30_000,
      });
    },
  };
}

async function currentPassword({ url }: PostgresBackendOptions): Promise<string> {
  const { password } = parsePostgresUrl(await url());
  return password?.expose() ?? '';
}

/** Under an advisory lock of the migrator: two that start at once wait for each other. */
async function migrate(config: PoolConfig, tables: TableSet): Promise<void> {
  const pool = openPool(config);
  try {
    await migrateToLatest(pool.db, tables);
  } finally {
    await pool.close();
  }
}

function openPool(config: PoolConfig): OpenDatabase {
  const pool = new Pool(config);
  // An idle connection that broke is gone from the pool by then; the next one is made when it is needed.
  pool.on('error', () => {});
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: discardingPool(pool) }) });
  return {
    db,
    isConflict: (error) => CONFLICTS.has(codeOf(error)),
    isLost: (error) => error !== undefined && codeOf(error) === UNDEFINED_TABLE,
    close: () => db.destroy(),
  };
}

/** serialization_failure, deadlock_detected, lock_not_available: nothing was done, and it may be tried again. */
const CONFLICTS: ReadonlySet<string> = new Set(['40001', '40P01', '55P03']);

/** The database was made anew while we were connected. */
const UNDEFINED_TABLE = '42P01';

/**
 * A connection on which a query failed otherwise than by the server's word (a timeout, a broken line) is closed and not
 * given back: the driver would go on waiting on it for an answer that never comes.
 */
function discardingPool(pool: Pool): PostgresPool {
  const watched = new WeakSet<PoolClient>();
  return {
    options: pool.options,
    async connect() {
      const client = await pool.connect();
      // A line that breaks between two queries of a transaction is an event; without a listener, the end of the process.
      if (!watched.has(client)) client.on('error', () => {});
      watched.add(client);
      return discardingClient(client, (discard) => client.release(discard));
    },
    end: () => pool.end(),
  };
}

function discardingClient(client: PostgresPoolClient, release: (discard: boolean) => void): PostgresPoolClient {
  let broken = false;
  function query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  function query<R>(
    sql: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof sql !== 'string') return client.query(sql);
    return client.query<R>(sql, parameters).catch((error: unknown) => {
      broken ||= !(error instanceof DatabaseError);
      throw error;
    });
  }
  return { query, release: (discard) => release(broken || discard === true) };
}

/** Times in milliseconds are below 2^53: numbers, as SQLite has them. Everything else as the driver does it. */
const typeParser: typeof types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8 ? Number : types.getTypeParser(oid, format);

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
