import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { NO_POSTGRES, PASSWORD_USER, startPostgres, type TestPostgres } from '../../../../../test/harness/postgres.ts';
import { until } from '../../../../../test/harness/until.ts';
import { describeBodyStore } from '../../audit/body-store.contract.ts';
import { describeApiKeyStore } from '../../authn/api-key-store.contract.ts';
import { describeKeyEventStore } from '../../authn/key-event-store.contract.ts';
import { describeApprovalStore } from '../../authz/approval-store.contract.ts';
import { describeEndedSessions } from '../../entrypoint/ended-sessions.contract.ts';
import { describeGrantVault } from '../../credential/grant-vault.contract.ts';
import { Secret } from '../../model/secret.ts';
import { collectedLog } from '../sql/fixtures/collected-log.ts';
import { openAtOnce } from '../sql/fixtures/parallel.ts';
import { plainSeal } from '../sql/fixtures/plain-seal.ts';
import { createSqlApiKeyStore } from '../sql/sql-api-key-store.ts';
import { createSqlEndedSessions } from '../sql/sql-ended-sessions.ts';
import { createSqlKeyEventStore } from '../sql/sql-key-event-store.ts';
import { createSqlApprovalStore } from '../sql/sql-approval-store.ts';
import { createSqlBodyStore } from '../sql/sql-body-store.ts';
import { createSqlGrantStore } from '../sql/sql-grant-store.ts';
import { SqlDatabase, StorageError } from '../sql/sql-database.ts';
import { createPostgresBackend } from './postgres-backend.ts';
import { parsePostgresUrl } from './postgres-url.ts';

const parse = (url: string) => parsePostgresUrl(new Secret(url));

/** Generous: a loaded machine must not look like a server that is away. */
const PATIENT_MS = 30_000;

function openUrl(url: string, timeoutMs = PATIENT_MS) {
  const { logger, lines } = collectedLog();
  const backend = createPostgresBackend({
    url: () => Promise.resolve(new Secret(url)),
    address: parse(url),
    maxConnections: 4,
    timeoutMs,
  });
  const database = new SqlDatabase({ backend, logger, clockMs: () => performance.now(), timeoutMs });
  const keys = createSqlApiKeyStore(database, { actor: 'cli:root', now: () => 77 });
  const keyEvents = createSqlKeyEventStore(database);
  return { database, lines, keys, keyEvents, approvals: createSqlApprovalStore(database, plainSeal) };
}

const bodiesOf = (database: SqlDatabase, time: { readonly nowMs: number }) =>
  createSqlBodyStore(database, { seal: plainSeal, now: () => time.nowMs, yieldNow: () => Promise.resolve() });

async function administrator(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  // When a test fails the server goes first, and the failure is news enough.
  client.on('error', () => {});
  await client.connect();
  return client;
}

const KEY = { id: '1', tenant: 'default', name: 'alice', hash: 'h1', hint: 'sp_', groups: ['a'], createdAtMs: 1 };

describe.skipIf(NO_POSTGRES !== undefined)('PostgreSQL', () => {
  let postgres: TestPostgres;
  const opened: ReturnType<typeof openUrl>[] = [];
  const open = async (url?: string, timeoutMs = PATIENT_MS) => {
    const one = openUrl(url ?? (await postgres.createDatabase()), timeoutMs);
    opened.push(one);
    return one;
  };
  const contract: ReturnType<typeof openUrl>[] = [];
  const store = (index: 0 | 1) => {
    const one = contract[index];
    if (one === undefined) throw new Error('not open');
    return one;
  };

  beforeAll(async () => {
    postgres = await startPostgres();
    const url = await postgres.createDatabase();
    contract.push(await open(url), await open(url));
    for (const one of contract) await one.database.ready(30_000);
  }, 120_000);
  afterAll(async () => {
    for (const one of opened) await one.database.close();
    await postgres?.close();
  }, 60_000);

  describeApiKeyStore('PostgreSQL', () => store(0).keys);
  describeApprovalStore('PostgreSQL', () => [store(0).approvals, store(1).approvals]);
  describeKeyEventStore('PostgreSQL', async () => {
    const url = await postgres.createDatabase();
    return [await open(url), await open(url)];
  });
  describeGrantVault('PostgreSQL', () => [
    createSqlGrantStore(store(0).database),
    createSqlGrantStore(store(1).database),
  ]);
  const time = { nowMs: 0 };
  describeEndedSessions('PostgreSQL', () => [
    createSqlEndedSessions(store(0).database),
    createSqlEndedSessions(store(1).database),
  ]);
  describeBodyStore('PostgreSQL', () => bodiesOf(store(0).database, time), time);

  it('is made once by processes that start at once on an empty database', async () => {
    const url = await postgres.createDatabase();
    expect(await openAtOnce('postgres', url, 5)).toEqual(Array(5).fill('made'));
    const { keys } = await open(url);
    expect(await keys.list()).toHaveLength(5);
  }, 60_000);

  it('rejects while the server is down, and answers again when it is up', async () => {
    const { keys, lines } = await open();
    await keys.create(KEY);
    await postgres.stop();
    await expect(keys.findByHash('h1')).rejects.toThrow(StorageError);
    await expect(keys.findByHash('h1')).rejects.toThrow(/PostgreSQL at 127.0.0.1:\d+\/sallyport_\d+: /);
    await postgres.start();
    expect(await until('the key', () => keys.findByHash('h1').catch(() => undefined))).toEqual(KEY);
    expect(lines.filter((line) => line.startsWith('info'))).toHaveLength(1);
  }, 120_000);

  it('rejects while the server does not answer, however many ask, and throws the dead connections away', async () => {
    const url = await postgres.createDatabase();
    const patient = await open(url);
    await patient.keys.create(KEY);
    const { database, keys } = await open(url, 900);
    await until('an open database', () => database.ready(PATIENT_MS));
    await postgres.freeze();
    const asked = await Promise.allSettled(Array.from({ length: 12 }, () => keys.findByHash('h1')));
    expect(asked.map(({ status }) => status)).toEqual(Array(12).fill('rejected'));
    await postgres.thaw();
    expect(await until('the key', () => keys.findByHash('h1').catch(() => undefined), 60_000)).toEqual(KEY);
  }, 120_000);

  it('survives that its connections are cut', async () => {
    const url = await postgres.createDatabase();
    const { keys } = await open(url);
    await keys.create(KEY);
    const admin = await administrator(url);
    await admin.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
    );
    await admin.end();
    expect(await until('the key', () => keys.findByHash('h1').catch(() => undefined))).toEqual(KEY);
  });

  it('takes a rotated password for its next connection', async () => {
    const url = await postgres.createDatabase();
    const admin = await administrator(url);
    await admin.query(`create role ${PASSWORD_USER} login superuser password 'first'`);
    let password = 'first';
    const secret = () => new Secret(url.replace(/\/\/[^@]*/, `//${PASSWORD_USER}:${password}`));
    const backend = createPostgresBackend({
      url: () => Promise.resolve(secret()),
      address: parsePostgresUrl(secret()),
      timeoutMs: PATIENT_MS,
    });
    const { logger } = collectedLog();
    const database = new SqlDatabase({ backend, logger, clockMs: () => performance.now(), timeoutMs: PATIENT_MS });
    const keys = createSqlApiKeyStore(database, { actor: 'cli:root', now: () => 77 });
    await keys.create(KEY);
    await admin.query(`alter role ${PASSWORD_USER} password 'second'`);
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${PASSWORD_USER}'`);
    await expect(keys.list()).rejects.toThrow(StorageError);
    password = 'second';
    expect(await until('the key', () => keys.findByHash('h1').catch(() => undefined))).toEqual(KEY);
    await database.close();
    await admin.end();
  });

  it('is made anew when somebody made the database anew', async () => {
    const url = await postgres.createDatabase();
    const { keys } = await open(url);
    await keys.create(KEY);
    const admin = await administrator(url);
    await admin.query('drop schema public cascade; create schema public');
    await admin.end();
    expect(await until('no key', () => keys.list().catch(() => undefined))).toEqual([]);
  });
});

describe('a PostgreSQL that cannot be reached', () => {
  it('says so without the password', async () => {
    const { database, keys, lines } = openUrl('postgres://app:hunter2@127.0.0.1:1/sallyport');
    expect(await database.ready(5_000)).toBe(false);
    await expect(keys.list()).rejects.toThrow(/ECONNREFUSED/);
    expect(lines.join('\n')).toContain('127.0.0.1:1/sallyport');
    expect(lines.join('\n')).not.toContain('hunter2');
    await database.close();
  });
});

describe('a PostgreSQL URL', () => {
  it.each([
    ['postgres://app@db.internal/x', { host: 'db.internal', port: 5432, user: 'app', database: 'x', ssl: false }],
    ['postgresql://db:5433', { host: 'db', port: 5433, ssl: false }],
    ['postgres://app@/x?host=/run/postgresql', { host: '/run/postgresql', port: 5432, user: 'app', database: 'x' }],
    ['postgres://[::1]/x?sslmode=require', { host: '::1', ssl: {} }],
    ['postgres://h/x?sslmode=no-verify', { ssl: { rejectUnauthorized: false } }],
    ['postgres://a%40b:p%2Fw@h/x', { user: 'a@b', host: 'h' }],
  ])('%s is understood', (url, expected) => {
    expect(parse(url)).toMatchObject(expected);
  });

  it.each([
    'mysql://h/x',
    'postgres:h/x',
    'postgres://u:hunter2@h:port/x',
    'postgres://h/x?sslmode=perhaps',
    'postgres://h/x?opt=1',
  ])('%s is refused, unquoted', (url) => {
    expect(() => parse(url)).toThrow(/^(?!.*hunter2).*PostgreSQL URL/);
  });

  it('hides its password', () => {
    expect(JSON.stringify(parse('postgres://app:hunter2@h/x'))).not.toContain('hunter2');
  });
});
