import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile, appendFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { openAppendFile } from './append-file.ts';
import { filesOn, goodDisk } from './disk.fixture.ts';
import { createFileAuditLog, type FileAuditLog, type FileAuditLogOptions } from './file-audit-log.ts';
import { alice, authorized, outcome } from './testing.ts';
import { verifyFile } from './verify.ts';

let folder = '';
let path = '';
let logged: string[] = [];
let failures = 0;
const opened: FileAuditLog[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-audit-'));
  path = join(folder, 'data', 'audit.jsonl');
  logged = [];
  failures = 0;
});

afterEach(async () => {
  await Promise.allSettled(opened.splice(0).map((log) => log.close()));
  await rm(folder, { recursive: true });
});

async function open(more: Partial<FileAuditLogOptions> = {}): Promise<FileAuditLog> {
  const keep = (_: unknown, text: string): void => void logged.push(text);
  const log = await createFileAuditLog({
    path,
    version: '1.2.3',
    now: () => 1_790_000_000_000,
    logger: { debug: keep, info: keep, warn: keep, error: keep },
    instruments: { auditBacklog: () => undefined, auditFailed: () => failures++, auditFailing: () => undefined },
    ...more,
  });
  opened.push(log);
  return log;
}

type ReadBack = {
  readonly metadata: { readonly sequence: number; readonly correlation_uid?: string };
  readonly unmapped: { readonly event: string; readonly repaired_bytes?: number; readonly records?: number };
  readonly attestation_list: readonly [{ readonly chain_uid: string }];
};

const readRecords = async (): Promise<ReadBack[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line): ReadBack => JSON.parse(line));

const eventsOf = async (): Promise<string[]> => (await readRecords()).map(({ unmapped }) => unmapped.event);

describe('the audit file', () => {
  it('is made with its folders, for its owner only, and tells of its own start and stop', async () => {
    const log = await open();
    await log.close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'data'))).mode & 0o777).toBe(0o700);
    expect(await eventsOf()).toEqual(['opened', 'closed']);
    expect(await readdir(join(folder, 'data'))).toEqual(['audit.jsonl']);
  });

  it('holds an intent before the call may leave, and its outcome refers to it', async () => {
    const log = await open();
    const intent = await log.intend(authorized('r-1', false));
    expect((await readRecords()).at(-1)).toMatchObject({ metadata: { sequence: 2 }, unmapped: { event: 'intent' } });
    const intentSequence = log.sequenceOf(intent);
    log.append(outcome('r-1', { ...(intentSequence !== undefined && { intentSequence }) }));
    await log.close();
    expect((await readRecords())[2]).toMatchObject({ unmapped: { event: 'outcome', intent_sequence: 2 } });
  });

  it('does not wait for what the operator marked read-only', async () => {
    const log = await open();
    const intent = log.intend(authorized('r-1', true));
    expect(intent).not.toBeInstanceOf(Promise);
    expect(log.sequenceOf(await intent)).toBeUndefined();
    expect((await intent).permit.principal).toBe(alice);
  });

  it('gets ordinary records within a batch, without anyone asking', async () => {
    const log = await open();
    log.append(outcome('r-1'));
    await vi.waitFor(async () => expect(await eventsOf()).toEqual(['opened', 'outcome']), {
      interval: 5,
      timeout: 5000,
    });
  });

  it('keeps the order of sequence numbers under many callers, with few syncs', async () => {
    let syncs = 0;
    const log = await open({
      open: async (at) => {
        const file = await openAppendFile(at);
        return { ...file, sync: () => (syncs++, file.sync()) };
      },
    });
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const intent = await log.intend(authorized(`r-${index}`, false));
        log.append(outcome(`r-${index}`, { intentSequence: log.sequenceOf(intent) ?? 0 }));
      }),
    );
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true, records: 402 });
    expect(syncs).toBeLessThan(20);
  });

  it('gets an intent to the disk while other records come with every turn of the event loop', async () => {
    const log = await open();
    let turns = 0;
    const read = (): void => {
      log.append(outcome(`r-${turns++}`));
      if (turns < 10_000) immediate = setImmediate(read);
    };
    let immediate = setImmediate(read);
    await log.intend(authorized('w', false));
    clearImmediate(immediate);
    expect(turns).toBeLessThan(10_000);
  });

  it('is continued by the next start', async () => {
    await (await open()).close();
    const log = await open();
    expect(log.tail()?.sequence).toBe(3);
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true, records: 4 });
    const [first, , third] = await readRecords();
    expect(third).toMatchObject({ unmapped: { event: 'opened', continues: 2 } });
    expect(third?.attestation_list[0].chain_uid).not.toBe(first?.attestation_list[0].chain_uid);
  });

  it('takes no calls once it is closed, and keeps nobody waiting', async () => {
    const log = await open();
    await log.close();
    await expect(log.durable()).resolves.toBeUndefined();
    expect(() => log.intend(authorized('r', true))).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'draining' }) }),
    );
    await expect(log.close()).resolves.toBeUndefined();
  });
});

describe('two gateways on one file', () => {
  it('are refused, with the process that holds it and what to do', async () => {
    await open();
    await expect(open()).rejects.toThrow(
      new RegExp(`audit.jsonl is in use by process ${process.pid}\\. .*delete .*audit.jsonl.lock`),
    );
  });

  const holder = (facts: object): string => JSON.stringify({ id: 'x', host: hostname(), ...facts });
  const stale: readonly [string, string][] = [
    ['whose process is gone', holder({ pid: 2 ** 22 + 1 })],
    ['whose process number belongs to another process now', holder({ pid: process.pid, started: 'another boot/1' })],
    ['that is no lock at all', 'garbage'],
    ['that is empty', ''],
  ];

  it.each(stale)('a lock %s is taken over', async (_, content) => {
    await (await open()).close();
    await writeFile(`${path}.lock`, content);
    const log = await open();
    expect(log.status().state).toBe('writing');
    await expect(open()).rejects.toThrow('in use');
  });

  it('a lock of another host is respected', async () => {
    await (await open()).close();
    await writeFile(`${path}.lock`, holder({ pid: 1, host: 'elsewhere' }));
    await expect(open()).rejects.toThrow('in use by process 1 on host elsewhere');
  });

  it('of several that find a stale lock at once, one wins, however often they try', async () => {
    await (await open()).close();
    for (let round = 0; round < 25; round++) {
      await writeFile(`${path}.lock`, holder({ id: `stale-${round}`, pid: 2 ** 22 + 1 }));
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => open()));
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won).toHaveLength(1);
      for (const { value } of won) await value.close();
    }
    expect((await readdir(join(folder, 'data'))).filter((name) => name.includes('.lock'))).toEqual([]);
  });

  it('a takeover that was itself abandoned keeps nobody away', async () => {
    await (await open()).close();
    await writeFile(`${path}.lock`, holder({ id: 'stale', pid: 2 ** 22 + 1 }));
    await writeFile(`${path}.lock.over-stale`, holder({ id: 'abandoned', pid: 2 ** 22 + 2 }));
    await (await open()).close();
    expect((await readdir(join(folder, 'data'))).filter((name) => name.includes('.lock'))).toEqual([]);
  });
});

describe('a damaged end of the file', () => {
  const damages: readonly [string, () => Promise<unknown>, number][] = [
    ['a torn last record', async () => truncate(path, (await stat(path)).size - 20), 1],
    ['zeros behind the last record', () => appendFile(path, Buffer.alloc(4096)), 2],
    ['garbage with line ends', () => appendFile(path, 'x\ny\n{"z":1}\n'), 2],
  ];

  it.each(damages)('%s is put aside, shown, and the chain goes on', async (_, damage, intact) => {
    await (await open()).close();
    await damage();
    const log = await open();
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true, records: intact + 2 });
    const repaired = (await readRecords())[intact];
    expect(repaired).toMatchObject({ unmapped: { event: 'opened', kept_in: `${path}.torn-1790000000000` } });
    expect((await stat(`${path}.torn-1790000000000`)).size).toBe(repaired?.unmapped.repaired_bytes);
    expect(logged.join()).toContain('was moved to');
  });

  it('a file that holds only a torn first record begins anew', async () => {
    await mkdir(join(folder, 'data'));
    await writeFile(path, '{"class_uid":60');
    const log = await open();
    expect(log.tail()?.sequence).toBe(1);
  });

  it('a file that is no record of ours is not written to', async () => {
    await mkdir(join(folder, 'data'));
    await writeFile(path, 'my\nnotes\n');
    await expect(open()).rejects.toThrow('holds no intact record');
    expect(await readFile(path, 'utf8')).toBe('my\nnotes\n');
    expect(await readdir(join(folder, 'data'))).toEqual(['audit.jsonl']);
  });

  it('a path that is no file is refused', async () => {
    await expect(open({ path: '/dev/null' })).rejects.toThrow('not a regular file');
  });
});

const unavailable = expect.objectContaining({ failure: expect.objectContaining({ code: 'record-unavailable' }) });

describe('a disk that refuses', () => {
  it('refuses intents, keeps what is queued, is loud once, and recovers by itself', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk), retryMs: 5 });
    disk.full = true;
    await expect(log.intend(authorized('w-1', false))).rejects.toThrow(unavailable);
    expect(() => log.intend(authorized('w-2', false))).toThrow(unavailable);
    log.append(outcome('in-flight'));
    await vi.waitFor(() => expect(failures).toBeGreaterThan(2), { interval: 5, timeout: 5000 });
    expect(log.status()).toMatchObject({
      state: 'failing',
      backlogRecords: 2,
      reason: expect.stringContaining('ENOSPC'),
    });
    expect(logged.filter((text) => text.includes('cannot be written'))).toHaveLength(1);
    disk.full = false;
    await vi.waitFor(() => expect(log.status().state).toBe('writing'), { interval: 5, timeout: 5000 });
    await log.intend(authorized('w-3', false));
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true });
    expect(await eventsOf()).toEqual(['opened', 'intent', 'outcome', 'intent', 'closed']);
  });

  it('holds no more than the bound, and records how much it could not hold', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk), retryMs: 5, maxBacklogRecords: 10 });
    disk.full = true;
    await expect(log.intend(authorized('w-1', false))).rejects.toThrow(unavailable);
    for (let index = 0; index < 100; index++) log.append(outcome(`refused-${index}`, { outcome: 'refused' }));
    expect(log.status()).toMatchObject({ backlogRecords: 10, overflowed: 91 });
    for (let index = 0; index < 5; index++) log.append(outcome(`ran-${index}`));
    disk.full = false;
    await vi.waitFor(() => expect(log.status()).toMatchObject({ state: 'writing', overflowed: 0 }), {
      interval: 5,
      timeout: 5000,
    });
    await log.close();
    const records = await readRecords();
    expect(records.filter(({ unmapped }) => unmapped.event === 'overflow')).toMatchObject([
      { unmapped: { records: 91 } },
    ]);
    expect(records.filter(({ metadata }) => String(metadata.correlation_uid).startsWith('ran-'))).toHaveLength(5);
    expect(await verifyFile(path)).toMatchObject({ ok: true });
  });

  it('refuses an intent that is not durable in time, and goes on when the disk does', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk), maxIntentWaitMs: 1000, retryMs: 5 });
    const release = Promise.withResolvers<void>();
    disk.hang = release.promise;
    await expect(log.intend(authorized('slow', false))).rejects.toThrow(unavailable);
    expect(log.status().state).toBe('failing');
    release.resolve();
    await vi.waitFor(() => expect(log.status().state).toBe('writing'), { interval: 5, timeout: 5000 });
    await log.intend(authorized('next', false));
  });

  it('may take writes in parts of any size', async () => {
    const disk = { ...goodDisk(), most: 100 };
    const log = await open({ files: filesOn(disk) });
    await Promise.all(Array.from({ length: 20 }, async (_, index) => log.intend(authorized(`r-${index}`, false))));
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true, records: 22 });
  });

  it('lets close say what could not be written', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk) });
    disk.full = true;
    log.append(outcome('r'));
    await expect(log.close()).rejects.toThrow('2 audit records could not be written.');
    opened.splice(0);
  });
});

describe('kill -9 at any instant', () => {
  const writer = fileURLToPath(new URL('./crash-writer.fixture.ts', import.meta.url));

  it('loses no intent whose call may have left, and the chain verifies', async () => {
    const acknowledged: number[] = [];
    for (const enough of [1, 40, 333]) {
      const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString('latin1');
        if (printed.split('\n').length > enough) child.kill('SIGKILL');
      });
      await once(child, 'close');
      acknowledged.push(...printed.split('\n').slice(0, -1).map(Number));
    }
    const log = await open();
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true });
    const intents = new Set(
      (await readRecords())
        .filter(({ unmapped }) => unmapped.event === 'intent')
        .map(({ metadata }) => metadata.sequence),
    );
    expect(acknowledged.length).toBeGreaterThan(373);
    expect(acknowledged.filter((sequence) => !intents.has(sequence))).toEqual([]);
  });
});
