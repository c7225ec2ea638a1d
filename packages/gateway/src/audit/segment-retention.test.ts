import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { checkpointsPath, readCheckpoints } from './checkpoint-file.ts';
import { createFileAuditLog, type FileAuditLog } from './file-audit-log.ts';
import type { RetentionRule } from './segment-retention.ts';
import { segmentsOf, type Segment } from './segments.ts';
import { loadSigningKey, publicKeyPath, verifyingKey, type SigningKey } from './signing-key.ts';
import { authorized } from './testing.ts';
import { verifyRecord } from './verify-record.ts';

const DAY_MS = 86_400_000;

let folder = '';
let path = '';
let key: SigningKey;
let nowMs = 0;
let logged: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-keep-'));
  path = join(folder, 'audit.jsonl');
  key = await loadSigningKey(join(folder, 'audit-signing-key.pem'));
  nowMs = 1_790_000_000_000;
  logged = [];
});

afterEach(() => rm(folder, { recursive: true }));

const ignore = (): void => undefined;

function open(retention?: RetentionRule): Promise<FileAuditLog> {
  const keep = (_: unknown, text: string): void => void logged.push(text);
  return createFileAuditLog({
    path,
    version: '1.2.3',
    now: () => nowMs,
    logger: { debug: keep, info: keep, warn: keep, error: keep },
    instruments: { auditBacklog: ignore, auditFailed: ignore, auditFailing: ignore },
    rotate: { maxBytes: Infinity, maxAgeMs: DAY_MS / 2 },
    checkpoints: { key, everyRecords: 1_000_000, everyMs: 3_600_000 },
    ...(retention !== undefined && { retention }),
  });
}

/** A file for each of four days: the writer's own words only, because these have the clock's time. */
async function fourDays(): Promise<void> {
  for (let day = 0; day < 4; day++) {
    await (await open()).close();
    nowMs += DAY_MS;
  }
}

const names = async (): Promise<string[]> => (await segmentsOf(path)).map((segment) => basename(segment.path));

async function verify(): ReturnType<typeof verifyRecord> {
  const { checkpoints } = await readCheckpoints(checkpointsPath(path));
  const sources = checkpoints.map((checkpoint) => ({ checkpoint, from: 'beside' as const }));
  return verifyRecord({ of: { record: path }, checkpoints: sources, keys: [key] });
}

describe('how long files are kept', () => {
  it('is for ever, when nothing is said', async () => {
    await fourDays();
    await (await open()).close();
    expect(await names()).toHaveLength(5);
    expect(await verify()).toMatchObject({ ok: true, begins: 'at record 1' });
  });

  it('is as long as their newest record is young; the record says which were deleted, and is proved from there', async () => {
    await fourDays();
    const log = await open({ keepMs: 2.5 * DAY_MS });
    await vi.waitFor(async () => expect(await names()).toHaveLength(3), { interval: 5, timeout: 5000 });
    await log.close();
    expect(existsSync(join(folder, 'audit.000000000001.jsonl'))).toBe(false);
    const text = await readFile(path, 'latin1');
    const { checkpoints } = await readCheckpoints(checkpointsPath(path));
    const end = checkpoints.find(({ sequence }) => sequence === 4);
    expect(text).toContain(
      `"unmapped":{"event":"retired","first_sequence":1,"last_sequence":4,"fingerprint":"${end?.fingerprint}","files":2}`,
    );
    expect(await verify()).toMatchObject({ ok: true, begins: 'at a checkpoint', result: { first: 5 } });
    expect(logged.join()).toContain('were deleted, as audit.keep says');
  });

  it('is longer for one whose end no checkpoint of the key stands for, and for all after it', async () => {
    await fourDays();
    await writeFile(checkpointsPath(path), '');
    const log = await open({ keepMs: DAY_MS });
    await vi.waitFor(() => expect(logged.join()).toContain('kept longer than audit.keep says'), {
      interval: 5,
      timeout: 5000,
    });
    await log.close();
    expect(await names()).toHaveLength(5);
  });

  it('is longer for one that a sink has not taken yet', async () => {
    await fourDays();
    const asked: (number | undefined)[] = [];
    const mayDelete = ({ first }: Segment): boolean => {
      asked.push(first);
      return first === 1;
    };
    const log = await open({ keepMs: DAY_MS, mayDelete });
    await vi.waitFor(async () => expect(await names()).toHaveLength(4), { interval: 5, timeout: 5000 });
    await log.close();
    expect(asked).toContain(3);
    expect(existsSync(join(folder, 'audit.000000000003.jsonl'))).toBe(true);
    expect(await verify()).toMatchObject({ ok: true, begins: 'at a checkpoint' });
  });

  it('deletes nothing that it could not record', async () => {
    await fourDays();
    const log = await open({ keepMs: DAY_MS, mayDelete: () => false });
    await log.intend(authorized('r', false));
    await log.close();
    expect(await names()).toHaveLength(5);
    expect(await readFile(path, 'latin1')).not.toContain('retired');
  });

  it('makes up for a checkpoint that a crash after a rotation left out', async () => {
    await fourDays();
    const file = checkpointsPath(path);
    const lines = (await readFile(file, 'latin1')).trimEnd().split('\n');
    await writeFile(
      file,
      lines
        .filter((line) => !line.includes('"sequence":6,'))
        .map((line) => `${line}\n`)
        .join(''),
    );
    await (await open()).close();
    expect((await readCheckpoints(file)).checkpoints.some(({ sequence }) => sequence === 6)).toBe(true);
  });
});

describe('the signing key', () => {
  it('is made once, for its owner only, with its public half for everybody', async () => {
    const file = join(folder, 'new', 'audit-signing-key.pem');
    const made = await loadSigningKey(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await loadSigningKey(file)).id).toBe(made.id);
    const pem = await readFile(publicKeyPath(file), 'utf8');
    expect(verifyingKey(pem).id).toBe(made.id);
    expect(pem).not.toContain('PRIVATE');
    await rm(publicKeyPath(file));
    await loadSigningKey(file);
    expect(await readFile(publicKeyPath(file), 'utf8')).toBe(pem);
  });

  it('is the same for several that start at once', async () => {
    const file = join(folder, 'new', 'audit-signing-key.pem');
    const made = await Promise.all(Array.from({ length: 8 }, () => loadSigningKey(file)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  });

  it('that others may read is refused, with what to type', async () => {
    const file = join(folder, 'audit-signing-key.pem');
    await chmod(file, 0o644);
    await expect(loadSigningKey(file)).rejects.toThrow(`Type: chmod 600 ${file}`);
  });

  it('that is no Ed25519 key is refused, and what stands in it is not repeated', async () => {
    const file = join(folder, 'audit-signing-key.pem');
    await writeFile(file, 'correct horse battery staple');
    await expect(loadSigningKey(file)).rejects.toThrow(/holds no Ed25519 private key(?!.*staple)/s);
  });
});
