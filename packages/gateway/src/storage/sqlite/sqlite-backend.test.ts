import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import Database from 'better-sqlite3';
import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';

import { describeBodyStore, newBody } from '../../audit/body-store.contract.ts';
import { describeApiKeyStore } from '../../authn/api-key-store.contract.ts';
import { describeKeyEventStore } from '../../authn/key-event-store.contract.ts';
import { describeApprovalStore, newApproval } from '../../authz/approval-store.contract.ts';
import { describeEndedSessions } from '../../entrypoint/ended-sessions.contract.ts';
import { describeGrantVault } from '../../credential/grant-vault.contract.ts';
import { collectedLog } from '../sql/fixtures/collected-log.ts';
import { openAtOnce } from '../sql/fixtures/parallel.ts';
import { plainSeal } from '../sql/fixtures/plain-seal.ts';
import { createSqlApiKeyStore } from '../sql/sql-api-key-store.ts';
import { createSqlEndedSessions, deleteOldEndedSessions } from '../sql/sql-ended-sessions.ts';
import { createSqlKeyEventStore } from '../sql/sql-key-event-store.ts';
import { createSqlApprovalStore, deleteOldApprovals } from '../sql/sql-approval-store.ts';
import { createSqlBodyStore } from '../sql/sql-body-store.ts';
import { createSqlGrantStore } from '../sql/sql-grant-store.ts';
import { SqlDatabase, StorageError } from '../sql/sql-database.ts';
import { createSqliteBackend } from './sqlite-backend.ts';

const root = mkdtempSync(path.join(tmpdir(), 'sallyport-sqlite-'));
const databases: SqlDatabase[] = [];
afterAll(async () => {
  for (const database of databases) await database.close();
  rmSync(root, { recursive: true });
});

/** `skewMs` moves the clock on: what waits for a time is over at once. */
function open(name: string, timeoutMs = 30_000) {
  const file = path.join(root, name, 'sallyport.db');
  const clock = { skewMs: 0 };
  const clockMs = () => performance.now() + clock.skewMs;
  const { logger, lines } = collectedLog();
  const database = new SqlDatabase({ backend: createSqliteBackend({ file, clockMs }), logger, clockMs, timeoutMs });
  databases.push(database);
  const keys = createSqlApiKeyStore(database, { actor: 'cli:root', now: () => 77 });
  const keyEvents = createSqlKeyEventStore(database);
  const time = { nowMs: 0 };
  const bodies = createSqlBodyStore(database, {
    seal: plainSeal,
    now: () => time.nowMs,
    yieldNow: () => Promise.resolve(),
  });
  return {
    file,
    clock,
    time,
    database,
    lines,
    keys,
    keyEvents,
    bodies,
    approvals: createSqlApprovalStore(database, plainSeal),
  };
}

const KEY = { id: '1', tenant: 'default', name: 'alice', hash: 'h1', hint: 'sp_', groups: ['a'], createdAtMs: 1 };

const one = open('contract');
const other = open('contract');
describeApiKeyStore('SQLite', () => one.keys);
describeApprovalStore('SQLite', () => [one.approvals, other.approvals]);
let folders = 0;
describeKeyEventStore('SQLite', async () => {
  const name = `key-events-${(folders += 1)}`;
  return [open(name), open(name)];
});
describeBodyStore('SQLite', () => one.bodies, one.time);
describeEndedSessions('SQLite', () => [createSqlEndedSessions(one.database), createSqlEndedSessions(other.database)]);
describeGrantVault('SQLite', () => [createSqlGrantStore(one.database), createSqlGrantStore(other.database)]);

describe('a SQLite database', () => {
  it('forgets ended sessions whose ids have expired', async () => {
    const { database } = open('ended-sessions');
    const store = createSqlEndedSessions(database);
    await store.add({ nonce: 'old', atMs: 1, untilMs: 10 });
    await store.add({ nonce: 'good', atMs: 2, untilMs: 11 });
    expect(await deleteOldEndedSessions(database, 10)).toBe(false);
    expect(await store.after({ atMs: 0, nonce: '' }, 0, 10)).toEqual([{ nonce: 'good', atMs: 2, untilMs: 11 }]);
  });

  it('is made with its folder, for its owner only, and in WAL mode with durable commits', async () => {
    const { file, database } = open('modes/inner');
    expect(await database.ready(10_000)).toBe(true);
    const mode = (of: string) => statSync(of).mode & 0o777;
    expect([mode(path.dirname(file)), mode(file)]).toEqual([0o700, 0o600]);
    const reader = new Database(file, { readonly: true });
    expect(reader.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(mode(`${file}-wal`)).toBe(0o600);
    reader.close();
  });

  it('is made once by processes that start at once on nothing', async () => {
    const file = path.join(root, 'parallel', 'sallyport.db');
    expect(await openAtOnce('sqlite', file, 6)).toEqual(Array(6).fill('made'));
    const reader = new Database(file, { readonly: true });
    expect(reader.prepare('select count(*) as n from api_keys').get()).toEqual({ n: 6 });
    reader.close();
  });

  it('remembers across a restart', async () => {
    const before = open('restart');
    await before.keys.create(KEY);
    const approval = await before.approvals.open(newApproval());
    await before.database.close();
    const after = open('restart');
    expect(await after.keys.findByHash('h1')).toEqual(KEY);
    expect(await after.approvals.get(approval.tenant, approval.id)).toEqual(approval);
  });

  it('keeps who changed a key, and when', async () => {
    const { keys, file } = open('events');
    await keys.create(KEY);
    await keys.create(KEY);
    await keys.change('default', 'alice', { expiresAtMs: 5 });
    await keys.change('default', 'alice', { revokedAtMs: 6 });
    await keys.change('default', 'alice', { revokedAtMs: 7 });
    const reader = new Database(file, { readonly: true });
    const events = reader.prepare('select at_ms, actor, action, tenant, name from key_events').all();
    reader.close();
    const event = { at_ms: 77, actor: 'cli:root', tenant: 'default', name: 'alice' };
    expect(events).toEqual(['create', 'expire', 'revoke'].map((action) => ({ ...event, action })));
  });

  it('shows no argument and no name of an approval to whoever copies it', async () => {
    const { approvals, database, file } = open('copied');
    await approvals.open(newApproval());
    await database.close();
    const copy = readFileSync(file).toString('latin1');
    expect(copy).toContain('sealed:');
    expect(copy).not.toMatch(/geheim|alice|write_file/);
  });

  it('shows nothing of a body and whose it is to whoever copies it, and nothing at all once it is erased', async () => {
    const { bodies, database, file } = open('bodies');
    const body = newBody();
    await bodies.put([body]);
    const copied = async (): Promise<string> => {
      await database.run((db) => sql`pragma wal_checkpoint(truncate)`.execute(db));
      return readFileSync(file).toString('latin1');
    };
    const copy = await copied();
    expect(copy).toContain('sealed:');
    expect(copy).not.toMatch(/geheim|alice|write_file/);
    expect(await bodies.erase([body])).toBe(1);
    expect(await copied()).not.toContain('sealed:');
  });

  it('lists a body that was not sealed here as one that nobody can read', async () => {
    const { bodies, file } = open('foreign');
    const body = newBody();
    await bodies.put([body]);
    const writer = new Database(file);
    writer.prepare(`update audit_bodies set content = 'other'`).run();
    writer.close();
    expect(await bodies.get(body.requestId, undefined)).toBeUndefined();
    expect(await bodies.list(undefined, 10)).toMatchObject([{ requestId: body.requestId, subject: '', content: '{}' }]);
  });

  it('believes no approval that was not sealed for its row, and lets none stand in the way', async () => {
    const { approvals, file } = open('forged');
    const forged = await approvals.open(newApproval());
    const writer = new Database(file);
    writer.prepare(`update approvals set status = 'approved'`).run();
    writer.close();
    expect(await approvals.get(forged.tenant, forged.id)).toBeUndefined();
    expect(await approvals.use(forged.tenant, forged.id, 1_500)).toBe(false);
    const fresh = await approvals.open(newApproval({ tenant: forged.tenant }));
    expect(fresh.id).not.toBe(forged.id);
    const again = new Database(file);
    again.prepare('update approvals set content = (select content from approvals where id = ?)').run(forged.id);
    again.close();
    expect(await approvals.get(fresh.tenant, fresh.id)).toBeUndefined();
  });

  it('deletes approvals a week after their time, some at once', async () => {
    const { approvals, database } = open('old');
    const tenant = 'acme';
    for (let index = 0; index < 501; index += 1) {
      await approvals.open(newApproval({ tenant, argumentsDigest: `${index}` }));
    }
    const kept = await approvals.open(newApproval({ tenant, expiresAtMs: 3_000_000_000 }));
    const week = 7 * 86_400_000;
    expect(await deleteOldApprovals(database, 2_000 + week)).toBe(false);
    expect(await deleteOldApprovals(database, 2_001 + week)).toBe(true);
    expect(await deleteOldApprovals(database, 2_001 + week)).toBe(false);
    expect(await approvals.list({ tenant, status: 'pending', validAtMs: 0, limit: 10 })).toEqual([kept]);
  });
});

describe('a SQLite database that is away', () => {
  it('rejects while its file is gone, makes no new one, and answers again when it is back', async () => {
    const { file, clock, keys, lines } = open('gone');
    await keys.create(KEY);
    const aside = `${file}.aside`;
    for (const end of ['', '-wal', '-shm']) renameSync(file + end, aside + end);
    clock.skewMs += 1_001;
    await expect(keys.findByHash('h1')).rejects.toThrow(StorageError);
    await expect(keys.findByHash('h1')).rejects.toThrow(/ENOENT/);
    for (const end of ['', '-wal', '-shm']) renameSync(aside + end, file + end);
    clock.skewMs += 501;
    expect(await keys.findByHash('h1')).toEqual(KEY);
    expect(lines.map((line) => line.split(' {')[0])).toEqual([
      'warn: the database cannot be used',
      'info: the database answers again',
    ]);
  });

  it('says what is wrong when the file is none, and works once it is one', async () => {
    const { file, clock, keys, database } = open('rubbish');
    const folder = path.dirname(file);
    writeFileSync(folder, 'a file where a folder should be');
    expect(await database.ready(10_000)).toBe(false);
    expect(database.away).toMatch(/EEXIST|ENOTDIR/);
    rmSync(folder);
    clock.skewMs += 501;
    expect(await keys.list()).toEqual([]);
    expect(database.away).toBeUndefined();
  });

  it('waits for another writer, and not for longer than its time', async () => {
    await open('busy').keys.create(KEY);
    const { file, database, keys } = open('busy', 1_000);
    await database.ready(30_000);
    const writer = new Database(file);
    writer.exec('begin immediate');
    await expect(keys.change('default', 'alice', { expiresAtMs: 5 })).rejects.toThrow(StorageError);
    expect(await keys.findByHash('h1')).toEqual(KEY);
    const change = keys.change('default', 'alice', { expiresAtMs: 5 });
    writer.exec('commit');
    expect(await change).toBe(true);
    writer.close();
  });

  it('of a newer version says so', async () => {
    const { file, database } = open('newer');
    await database.ready(10_000);
    await database.close();
    const writer = new Database(file);
    writer.prepare(`insert into kysely_migration values ('9999-future', ?)`).run(new Date().toISOString());
    writer.close();
    const again = open('newer');
    expect(await again.database.ready(10_000)).toBe(false);
    expect(again.database.away).toContain('newest version');
  });
});
