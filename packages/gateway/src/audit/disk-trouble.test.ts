import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { ApprovedRequest } from '../model/request.ts';
import { filesOn, goodDisk, type Disk } from './disk.fixture.ts';
import { createFileAuditLog, type FileAuditLog, type FileAuditLogOptions } from './file-audit-log.ts';
import { authorized, outcome } from './testing.ts';
import { verifyFile } from './verify.ts';

let folder = '';
let path = '';
let spool = '';
let logged: string[] = [];
let gauge: boolean[] = [];
let backlog: number[] = [];
const opened: FileAuditLog[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-disk-'));
  path = join(folder, 'one', 'audit.jsonl');
  spool = join(folder, 'other', 'audit.spool');
  logged = [];
  gauge = [];
  backlog = [];
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
    instruments: {
      auditBacklog: (records) => void backlog.push(records),
      auditFailed: () => undefined,
      auditFailing: (failing) => void gauge.push(failing),
    },
    retryMs: 5,
    ...more,
  });
  opened.push(log);
  return log;
}

const unavailable = expect.objectContaining({ failure: expect.objectContaining({ code: 'record-unavailable' }) });

function read(id: string, risk: 'medium' | 'high' = 'medium'): ApprovedRequest {
  const request = authorized(id, true);
  const { target, ...permit } = request.permit;
  const entries = target.entries.map((entry) => ({ ...entry, traits: { ...entry.traits, risk } }));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as in testing.ts: a permit cannot be made here
  return { ...request, permit: { ...permit, target: { ...target, entries } } as unknown as ApprovedRequest['permit'] };
}

async function fail(log: FileAuditLog, disk: Disk): Promise<void> {
  disk.full = true;
  await expect(log.intend(authorized('w', false))).rejects.toThrow(unavailable);
  expect(log.status().state).toBe('failing');
}

const writing = (log: FileAuditLog): Promise<unknown> =>
  vi.waitFor(() => expect(log.status().state).toBe('writing'), { interval: 5, timeout: 5000 });

/** The calls whose outcomes a file has, in their order. */
const ids = async (file: string): Promise<string[]> =>
  (await readFile(file, 'latin1'))
    .split('\n')
    .filter((line) => line.includes('"event":"outcome"'))
    .map((line) => /"correlation_uid":"([^"]+)"/.exec(line)?.[1] ?? '');

describe('while the audit file cannot be written', () => {
  it('what changes something or is of high risk is refused, and reads go on, none of them unrecorded', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk) });
    await fail(log, disk);
    expect(() => log.intend(authorized('w-2', false))).toThrow(unavailable);
    expect(() => log.intend(read('risky', 'high'))).toThrow(unavailable);
    for (const id of ['a', 'b', 'c']) {
      await log.intend(read(id));
      log.append(outcome(id));
    }
    disk.full = false;
    await writing(log);
    await log.intend(authorized('w-3', false));
    await log.close();
    expect(await ids(path)).toEqual(['a', 'b', 'c']);
    expect(await verifyFile(path)).toMatchObject({ ok: true });
  });

  it('a read of high risk is made when the file can be written', async () => {
    const log = await open();
    expect((await log.intend(read('risky', 'high'))).permit).toBeDefined();
  });

  it('is loud: one line when it begins and one when it ends, a gauge at 1, and the backlog', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk) });
    await fail(log, disk);
    for (let index = 0; index < 7; index++) log.append(outcome(`r-${index}`));
    await vi.waitFor(() => expect(backlog.at(-1)).toBe(8), { interval: 5, timeout: 5000 });
    disk.full = false;
    await writing(log);
    expect(gauge).toEqual([true, false]);
    expect(logged.filter((text) => text.includes('cannot be written'))).toHaveLength(1);
    expect(logged.filter((text) => text.includes('takes records again'))).toHaveLength(1);
  });

  it('reads are refused, too, when there is no more room for their records', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk), maxBacklogRecords: 5 });
    await fail(log, disk);
    let made = 0;
    const readOn = async (): Promise<never> => {
      for (;;) {
        await log.intend(read(`r-${made}`));
        log.append(outcome(`r-${made++}`));
      }
    };
    await expect(readOn()).rejects.toThrow(unavailable);
    expect(made).toBe(4);
    disk.full = false;
    await writing(log);
    await log.close();
    expect(await ids(path)).toEqual(['r-0', 'r-1', 'r-2', 'r-3']);
  });
});

describe('a spool on another disk', () => {
  it('has what waits while the file refuses, and is gone when the file has it', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk, (at) => at === path), spool });
    expect(existsSync(spool)).toBe(false);
    await fail(log, disk);
    log.append(outcome('a'));
    await vi.waitFor(async () => expect(await ids(spool)).toEqual(['a']), { interval: 5, timeout: 5000 });
    log.append(outcome('b'));
    await vi.waitFor(async () => expect(await ids(spool)).toEqual(['a', 'b']), { interval: 5, timeout: 5000 });
    disk.full = false;
    await writing(log);
    await vi.waitFor(() => expect(existsSync(spool)).toBe(false), { interval: 5, timeout: 5000 });
    await log.close();
    expect(await ids(path)).toEqual(['a', 'b']);
    expect(await verifyFile(path)).toMatchObject({ ok: true, records: 5 });
    expect(await readdir(join(folder, 'other'))).toEqual([]);
  });

  it('serves one outage after the other, however short they are', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk, (at) => at === path), spool, retryMs: 1 });
    for (let round = 0; round < 20; round++) {
      disk.full = true;
      log.append(outcome(`r-${round}`));
      await vi.waitFor(() => expect(log.status().state).toBe('failing'), { interval: 1, timeout: 5000 });
      disk.full = false;
      await writing(log);
    }
    await log.close();
    expect(await ids(path)).toHaveLength(20);
    expect(await verifyFile(path)).toMatchObject({ ok: true });
    expect(existsSync(spool)).toBe(false);
  });

  it('that refuses as well: reads are refused until it takes them', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk), spool });
    await fail(log, disk);
    await vi.waitFor(() => expect(logged.join()).toContain('spool cannot be written'), { interval: 5, timeout: 5000 });
    expect(() => log.intend(read('r'))).toThrow(unavailable);
    disk.full = false;
    await writing(log);
    expect((await log.intend(read('r'))).permit).toBeDefined();
  });

  it('is kept by a stop in the middle of an outage, and taken in at the next start', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk, (at) => at === path), spool });
    await fail(log, disk);
    log.append(outcome('a'));
    await expect(log.close()).rejects.toThrow('could not be written');
    opened.splice(0);
    expect(await ids(spool)).toEqual(['a']);
    const next = await open({ spool });
    await next.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true });
    expect(await ids(path)).toEqual(['a']);
    expect(await readFile(path, 'latin1')).toContain('"spooled_records":');
    expect(existsSync(spool)).toBe(false);
  });

  it('whose end is damaged is taken in as far as it is whole; the rest is kept and told', async () => {
    const disk = goodDisk();
    const log = await open({ files: filesOn(disk, (at) => at === path), spool });
    await fail(log, disk);
    log.append(outcome('a'));
    await log.close().catch(() => undefined);
    opened.splice(0);
    await appendFile(spool, '{"class_uid":6003,"half');
    const next = await open({ spool });
    await next.close();
    expect(await ids(path)).toEqual(['a']);
    expect((await readdir(join(folder, 'other'))).join()).toContain('audit.spool.stray-');
    expect(logged.join()).toContain('does not follow the record');
  });

  it('that belongs to another record is kept and told, and nothing of it is taken', async () => {
    await mkdir(join(folder, 'other'));
    await writeFile(spool, 'not of this record\n');
    const log = await open({ spool });
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true, records: 2 });
    expect((await readdir(join(folder, 'other'))).join()).toContain('.stray-');
  });

  it('of one gateway is not the spool of another', async () => {
    await open({ spool });
    await expect(open({ path: join(folder, 'two', 'audit.jsonl'), spool })).rejects.toThrow('in use by process');
  });
});

const writer = fileURLToPath(new URL('./full-disk-writer.fixture.ts', import.meta.url));

/** Runs until it has read so often with its disk full, and kills it. @returns the ids of those reads */
async function killAfter(command: string, args: readonly string[], reads: number): Promise<string[]> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString('latin1');
    if (printed.split('\n').length > reads + 1) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return printed.split('\n').slice(1, -1);
}

describe('kill -9 while the disk is full', () => {
  it('loses no read that the spool had, and the chain verifies', async () => {
    const reads = await killAfter(process.execPath, [writer, path, spool], 25);
    expect(reads.length).toBeGreaterThanOrEqual(25);
    const log = await open({ spool });
    await log.close();
    expect(await verifyFile(path)).toMatchObject({ ok: true });
    const recorded = new Set(await ids(path));
    expect(reads.filter((id) => !recorded.has(id))).toEqual([]);
  });

  const mount = ['unshare', '--user', '--map-root-user', '--mount'] as const;
  const canMount = spawnSync(mount[0], [...mount.slice(1), 'true']).status === 0;
  if (!canMount)
    process.stderr.write('SKIPPED: a real full disk needs unshare with user namespaces, which is not allowed here.\n');

  it.skipIf(!canMount)('the same on a real file system that is full', async () => {
    const small = join(folder, 'small');
    await mkdir(small);
    const file = join(small, 'audit.jsonl');
    const copied = join(folder, 'copied.jsonl');
    // The small file system is gone with the process that made it: a shell copies the file out when the writer was killed.
    const script =
      `mount -t tmpfs -o size=128k none '${small}' && ` +
      `{ '${process.execPath}' '${writer}' '${file}' '${spool}' real & child=$!; trap 'kill -9 $child' USR1; ` +
      `wait $child; wait $child; cp '${file}' '${copied}'; }`;
    const child = spawn(mount[0], [...mount.slice(1), 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString('latin1');
      if (printed.split('\n').length > 12) child.kill('SIGUSR1');
    });
    await once(child, 'close');
    const reads = printed.split('\n').slice(1, -1);
    expect(reads.length).toBeGreaterThan(10);
    const log = await open({ path: copied, spool });
    await log.close();
    expect(await verifyFile(copied)).toMatchObject({ ok: true });
    const recorded = new Set(await ids(copied));
    expect(reads.filter((id) => !recorded.has(id))).toEqual([]);
  });
});
