import { mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { auditFiles, type AuditFiles } from './append-file.ts';
import { createFileAuditLog, type FileAuditLog, type FileAuditLogOptions } from './file-audit-log.ts';
import { segmentsOf } from './segments.ts';
import { authorized, outcome } from './testing.ts';
import { verifyRecord, type RecordVerification } from './verify-record.ts';

let folder = '';
let path = '';
let logged: string[] = [];
const opened: FileAuditLog[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-rotate-'));
  path = join(folder, 'audit.jsonl');
  logged = [];
});

afterEach(async () => {
  await Promise.allSettled(opened.splice(0).map((log) => log.close()));
  await rm(folder, { recursive: true });
});

const NEVER = { maxBytes: Infinity, maxAgeMs: Infinity };
const SMALL = { maxBytes: 6000, maxAgeMs: Infinity };

async function open(more: Partial<FileAuditLogOptions> = {}): Promise<FileAuditLog> {
  const keep = (_: unknown, text: string): void => void logged.push(text);
  const log = await createFileAuditLog({
    path,
    version: '1.2.3',
    now: () => 1_790_000_000_000,
    logger: { debug: keep, info: keep, warn: keep, error: keep },
    instruments: { auditBacklog: () => undefined, auditFailed: () => undefined, auditFailing: () => undefined },
    rotate: SMALL,
    ...more,
  });
  opened.push(log);
  return log;
}

/** One call that is not read-only: its intent is durable, its outcome follows. */
async function call(log: FileAuditLog, id: string): Promise<number> {
  const intent = await log.intend(authorized(id, false));
  const intentSequence = log.sequenceOf(intent) ?? 0;
  log.append(outcome(id, { intentSequence }));
  return intentSequence;
}

async function calls(log: FileAuditLog, count: number): Promise<number[]> {
  const sequences: number[] = [];
  for (let index = 0; index < count; index++) sequences.push(await call(log, `r-${index}`));
  return sequences;
}

const verified = (): Promise<RecordVerification> => verifyRecord({ of: { record: path }, checkpoints: [], keys: [] });

const names = async (): Promise<string[]> =>
  (await segmentsOf(path)).filter(({ first }) => first !== undefined).map((segment) => basename(segment.path));

const intentsIn = async (): Promise<Set<number>> => {
  const found = new Set<number>();
  for (const segment of await segmentsOf(path)) {
    const text = await readFile(segment.path, 'utf8').catch(() => '');
    for (const line of text.split('\n').filter((one) => one.includes('"event":"intent"'))) {
      found.add(Number(/"sequence":(\d+)/.exec(line)?.[1]));
    }
  }
  return found;
};

describe('rotation', () => {
  it('begins a new file when one is large enough, with one chain through all of them', async () => {
    const log = await open();
    await calls(log, 12);
    await log.close();
    const segments = await segmentsOf(path);
    expect(segments.length).toBeGreaterThan(3);
    expect(await verified()).toMatchObject({ ok: true, records: 26, begins: 'at record 1' });
    for (const segment of segments) {
      const { mode, size } = await stat(segment.path);
      expect(mode & 0o777).toBe(0o600);
      expect(size).toBeLessThan(SMALL.maxBytes + 3000);
      const first = Number(/"sequence":(\d+)/.exec(await readFile(segment.path, 'utf8'))?.[1]);
      if (segment.first !== undefined) expect(first).toBe(segment.first);
    }
  });

  it('begins one when the first record is old enough, and never an empty one', async () => {
    let nowMs = 1_790_000_000_000;
    const log = await open({ rotate: { maxBytes: Infinity, maxAgeMs: 86_400_000 }, now: () => nowMs });
    await calls(log, 2);
    expect(await names()).toEqual([]);
    nowMs += 5 * 86_400_000;
    await calls(log, 2);
    expect(await names()).toEqual(['audit.000000000001.jsonl']);
    await log.close();
    expect(await verified()).toMatchObject({ ok: true, records: 10 });
  });

  it('goes on from a file that an earlier start had begun', async () => {
    await (await open({ rotate: NEVER })).close();
    const log = await open({ rotate: { maxBytes: 1, maxAgeMs: Infinity } });
    await log.close();
    expect(await names()).toEqual(['audit.000000000001.jsonl', 'audit.000000000003.jsonl']);
    expect(await verified()).toMatchObject({ ok: true, records: 4 });
  });

  it('loses nothing under many callers', async () => {
    const log = await open();
    const caller = (): Promise<number[]> => calls(log, 20);
    const acknowledged = (await Promise.all(Array.from({ length: 10 }, caller))).flat();
    await log.close();
    expect(await verified()).toMatchObject({ ok: true, records: 402 });
    const intents = await intentsIn();
    expect(acknowledged.filter((sequence) => !intents.has(sequence))).toEqual([]);
    expect((await names()).length).toBeGreaterThan(2);
  });

  it('writes over no file: one in its way is left, and records go on where they are', async () => {
    await writeFile(join(folder, 'audit.000000000001.jsonl'), '');
    const log = await open();
    await calls(log, 6);
    await log.close();
    expect((await stat(join(folder, 'audit.000000000001.jsonl'))).size).toBe(0);
    expect(logged.filter((text) => text.includes('could not be rotated'))).toHaveLength(1);
    expect(await verified()).toMatchObject({ ok: true, records: 14 });
  });
});

const STEPS = ['sync', 'rename', 'syncFolder', 'open', 'after'] as const;
type Step = (typeof STEPS)[number];

/** Fails at one step of the rotations, as often as it is asked to; `armed` keeps the start out of it. */
function failingAt(step: Step, fault: { armed: boolean; at: () => void }): AuditFiles {
  const check = (here: Step): void => {
    if (fault.armed && here === step) fault.at();
  };
  return {
    ...auditFiles,
    async open(at) {
      check('open');
      const file = await auditFiles.open(at);
      try {
        check('after');
      } catch (error) {
        await file.close();
        throw error;
      }
      return file;
    },
    async rename(from, to) {
      await auditFiles.rename(from, to);
      check('rename');
    },
    async syncFolder(at) {
      check('syncFolder');
      await auditFiles.syncFolder(at);
    },
  };
}

describe('a rotation that fails', () => {
  it.each(STEPS.filter((step) => step !== 'sync'))(
    'at "%s" holds up no call, is told, and loses nothing',
    async (step) => {
      const fault = {
        armed: false,
        at: (): void => {
          throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
        },
      };
      const log = await open({ files: failingAt(step, fault) });
      fault.armed = true;
      const acknowledged = await calls(log, 10);
      fault.armed = false;
      await log.close();
      expect(logged.filter((text) => text.includes('could not be rotated'))).toHaveLength(1);
      const next = await open();
      acknowledged.push(...(await calls(next, 6)));
      await next.close();
      expect(await verified()).toMatchObject({ ok: true, records: 24 + 12 });
      const intents = await intentsIn();
      expect(acknowledged.filter((sequence) => !intents.has(sequence))).toEqual([]);
    },
  );
});

describe('a process that ends in the middle of a rotation', () => {
  /** Nothing of the file system happens any more: as if the process were gone. */
  class Gone extends Error {}

  it.each(STEPS.filter((step) => step !== 'sync'))(
    'at "%s" leaves files from which the next start goes on',
    async (step) => {
      const end = { isGone: false };
      const fault = {
        armed: false,
        at: (): void => {
          end.isGone = true;
        },
      };
      const gone = (): void => {
        if (end.isGone) throw new Gone('the process is gone');
      };
      const base = failingAt(step, fault);
      const files: AuditFiles = {
        look: base.look,
        async open(at) {
          gone();
          const file = await base.open(at);
          return { ...file, write: (bytes) => (gone(), file.write(bytes)), sync: () => (gone(), file.sync()) };
        },
        async rename(from, to) {
          gone();
          await base.rename(from, to);
        },
        async syncFolder(at) {
          gone();
          await base.syncFolder(at);
        },
      };
      const log = await open({ files });
      fault.armed = true;
      const acknowledged: number[] = [];
      for (let index = 0; index < 20 && !end.isGone; index++) {
        await call(log, `r-${index}`).then(
          (sequence) => acknowledged.push(sequence),
          () => undefined,
        );
      }
      expect(end.isGone).toBe(true);
      await log.close().catch(() => undefined);
      opened.splice(0);
      const next = await open();
      await calls(next, 5);
      await next.close();
      expect(await verified()).toMatchObject({ ok: true, begins: 'at record 1' });
      const intents = await intentsIn();
      expect(acknowledged.length).toBeGreaterThan(0);
      expect(acknowledged.filter((sequence) => !intents.has(sequence))).toEqual([]);
    },
  );

  it('and a torn end before it: an empty newest file, and a segment whose last line is torn', async () => {
    const log = await open({ rotate: NEVER });
    await calls(log, 3);
    await log.close();
    const segment = join(folder, 'audit.000000000001.jsonl');
    await rename(path, segment);
    await truncate(segment, (await stat(segment)).size - 25);
    const next = await open();
    expect(next.tail()?.sequence).toBe(8);
    await next.close();
    expect(await verified()).toMatchObject({ ok: true, records: 9 });
    expect(logged.join()).toContain('was moved to');
    expect((await readdir(folder)).filter((name) => name.includes('torn'))).toHaveLength(1);
  });
});

describe('a file that somebody else takes away while it is written to', () => {
  const takings: readonly [string, () => Promise<unknown>, string][] = [
    ['moved, as logrotate does', () => rename(path, `${path}.1`), 'was moved or deleted'],
    ['deleted', () => rm(path), 'was moved or deleted'],
    [
      'replaced by a copy',
      async () => {
        await writeFile(`${path}.copy`, await readFile(path));
        await rename(`${path}.copy`, path);
      },
      'was replaced by another file',
    ],
    ['emptied, as logrotate does with copytruncate', () => truncate(path, 0), 'was cut'],
  ];

  it.each(takings)(
    '%s: is noticed, told with what to do, recorded, and the chain goes on in a new file',
    async (_, take, said) => {
      const log = await open({ syncMs: 1, rotate: NEVER });
      await calls(log, 2);
      const before = log.tail()?.sequence ?? 0;
      await take();
      await vi.waitFor(
        async () => {
          await call(log, 'again');
          expect(logged.join()).toContain(said);
        },
        { interval: 50, timeout: 10_000 },
      );
      await call(log, 'after');
      await log.close();
      expect(logged.join()).toMatch(/Move it to .*audit\.000000000001\.jsonl.*logrotate/);
      const text = await readFile(path, 'utf8');
      expect(text).toContain('"event":"replaced"');
      const { result } = await verified();
      expect(result).toMatchObject({ ok: false, reason: 'missing', sequence: 1 });
      const lines = text.trimEnd().split('\n');
      expect(Number(/"sequence":(\d+)/.exec(lines[0] ?? '')?.[1])).toBeGreaterThan(before);
    },
  );

  it('is noticed before it is renamed by a rotation, too', async () => {
    const log = await open();
    await calls(log, 1);
    await rename(path, `${path}.1`);
    await writeFile(path, 'somebody else was here\n');
    await calls(log, 6);
    await log.close();
    expect(logged.join()).toContain('was replaced by another file');
    const aside = (await readdir(folder)).filter((name) => name.includes('.found-'));
    expect(aside).toHaveLength(1);
    expect(await readFile(join(folder, aside[0] ?? ''), 'utf8')).toBe('somebody else was here\n');
    await rename(`${path}.1`, join(folder, 'audit.000000000001.jsonl'));
    expect(await verified()).toMatchObject({ ok: true, begins: 'at record 1' });
  });

  it('and moved to where it belongs afterwards, the record has no gap', async () => {
    const log = await open({ syncMs: 1, rotate: NEVER });
    await calls(log, 2);
    await rename(path, `${path}.1`);
    await vi.waitFor(
      async () => {
        await call(log, 'again');
        expect(logged.join()).toContain('was moved or deleted');
      },
      { interval: 50, timeout: 10_000 },
    );
    await call(log, 'after');
    await log.close();
    await rename(`${path}.1`, join(folder, 'audit.000000000001.jsonl'));
    expect(await verified()).toMatchObject({ ok: true, begins: 'at record 1' });
  });
});
