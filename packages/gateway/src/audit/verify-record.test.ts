import { generateKeyPairSync } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createChain, readLine } from './chain.ts';
import { checkpointsPath, readCheckpoints } from './checkpoint-file.ts';
import { checkpointLine, parseCheckpoint, signCheckpoint, type Checkpoint } from './checkpoint.ts';
import { createFileAuditLog, type FileAuditLogOptions } from './file-audit-log.ts';
import { outcomeRecord, recordContext } from './record.ts';
import { segmentsOf } from './segments.ts';
import { loadSigningKey, type SigningKey } from './signing-key.ts';
import { authorized, outcome } from './testing.ts';
import { verifyRecord, type CheckpointSource, type RecordVerification } from './verify-record.ts';

let folder = '';
let path = '';
let key: SigningKey;
let nowMs = 0;

const ignore = (): void => undefined;

async function write(count: number, more: Partial<FileAuditLogOptions> = {}): Promise<void> {
  const log = await createFileAuditLog({
    path,
    version: '1.2.3',
    authority: 'replica one',
    now: () => nowMs,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    instruments: { auditBacklog: ignore, auditFailed: ignore, auditFailing: ignore },
    rotate: { maxBytes: Infinity, maxAgeMs: 5 },
    checkpoints: { key, everyRecords: 1_000_000, everyMs: 3_600_000 },
    ...more,
  });
  for (let index = 0; index < count; index++) {
    // The clock changes the file, every four records.
    if (index % 4 === 3) nowMs += 10;
    await log.intend(authorized(`r-${index}`, false));
  }
  await log.close();
}

/** Files: 1 to 4, 5 to 8, 9 to 12, and the newest, with 13 to 16; a checkpoint for the end of each. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-verify-'));
  path = join(folder, 'audit.jsonl');
  key = await loadSigningKey(join(folder, 'audit-signing-key.pem'));
  nowMs = 1_790_000_000_000;
  await write(14);
});

afterEach(() => rm(folder, { recursive: true }));

const files = async (): Promise<string[]> => (await segmentsOf(path)).map((segment) => segment.path);
const nth = async (index: number): Promise<string> => (await files())[index] ?? '';
const linesOf = async (file: string): Promise<string[]> => (await readFile(file, 'latin1')).trimEnd().split('\n');
const rewrite = (file: string, lines: readonly string[]): Promise<void> => writeFile(file, `${lines.join('\n')}\n`);
const stored = async (): Promise<readonly Checkpoint[]> => (await readCheckpoints(checkpointsPath(path))).checkpoints;

type Asked = {
  readonly kept?: readonly Checkpoint[];
  readonly from?: number;
  readonly to?: number;
  readonly keyless?: boolean;
};

async function verify({ kept = [], keyless = false, ...range }: Asked = {}): Promise<RecordVerification> {
  const beside = (await stored()).map((checkpoint): CheckpointSource => ({ checkpoint, from: 'beside' }));
  const own = kept.map((checkpoint): CheckpointSource => ({ checkpoint, from: 'kept' }));
  return verifyRecord({ of: { record: path }, checkpoints: [...beside, ...own], keys: keyless ? [] : [key], ...range });
}

describe('a record of several files', () => {
  it('is proved as one chain, and its end by the checkpoint that was made at its close', async () => {
    const proof = await verify();
    expect(proof).toMatchObject({
      ok: true,
      records: 16,
      begins: 'at record 1',
      result: { first: 1, last: { sequence: 16 } },
    });
    expect(proof.files.map((file) => basename(file))).toEqual([
      'audit.000000000001.jsonl',
      'audit.000000000005.jsonl',
      'audit.000000000009.jsonl',
      'audit.jsonl',
    ]);
    expect(proof.checkpoints).toMatchObject({ forged: [], unknownKey: 0, newest: { checkpoint: { sequence: 16 } } });
    expect(proof.checkpoints.matched).toBe(proof.files.length);
  });

  it('has a checkpoint for the end of every file, so that any of them can be where a proof begins', async () => {
    const ends = await Promise.all(
      (await files()).map(async (file) => readLine((await linesOf(file)).at(-1) ?? '')?.sequence),
    );
    expect((await stored()).map(({ sequence }) => sequence)).toEqual(ends);
  });

  it('is proved in a range without its other files', async () => {
    const [one = '', two = ''] = await files();
    await rm(one);
    await appendFile(path, 'garbage\n');
    expect(await verify({ from: 6, to: 12 })).toMatchObject({ ok: true, records: 7, begins: 'as asked' });
    expect((await verify({ from: 6, to: 12 })).files).not.toContain(path);
    await rewrite(two, (await linesOf(two)).toSpliced(1, 1));
    const missing = { ok: false, result: { reason: 'missing', sequence: 6, file: two } };
    expect(await verify({ from: 5, to: 12 })).toMatchObject(missing);
    expect(await verify({ from: 6, to: 12 })).toMatchObject(missing);
    expect(await verify({ from: 7, to: 12 })).toMatchObject({ ok: true, records: 6 });
  });

  it('goes on over an empty newest file, and over none, as a crash in a rotation leaves them', async () => {
    await rename(path, join(folder, `audit.${'13'.padStart(12, '0')}.jsonl`));
    expect(await verify()).toMatchObject({ ok: true, records: 16 });
    await writeFile(path, '');
    expect(await verify()).toMatchObject({ ok: true, records: 16 });
    await write(1);
    expect(await verify()).toMatchObject({ ok: true, records: 19 });
  });

  it('may end in a line that is being written, and in no other', async () => {
    await appendFile(path, '{"class_uid":60');
    expect(await verify()).toMatchObject({ ok: true, unfinished: true, records: 16 });
    await appendFile(await nth(0), '{"class_uid":60');
    expect(await verify()).toMatchObject({ ok: false, result: { reason: 'malformed', file: await nth(0) } });
  });
});

/** What somebody did, the reason that is named, the first broken record, and a word of the sentence. */
type Row = readonly [what: string, how: () => Promise<unknown>, reason: string, sequence: number, said: RegExp];

const edit = (file: () => Promise<string>, how: (lines: string[]) => string[]) => async (): Promise<void> =>
  rewrite(await file(), how(await linesOf(await file())));

/** A record with the right fingerprint in place of the one at `index`, by somebody who knows how chains are made. */
function forged(lines: readonly string[], index: number): string {
  const chain = createChain({ chainUid: 'forger', authority: 'r-1', previous: readLine(lines[index - 1] ?? '') });
  const { line } = chain.append((at) => outcomeRecord(outcome('forged'), at, recordContext('1.2.3')));
  return line.toString('latin1').trimEnd();
}

const second = (): Promise<string> => nth(1);

const tampering: readonly Row[] = [
  [
    'a bit is flipped in a file that is long closed',
    edit(second, (lines) => lines.with(1, (lines[1] ?? '').replace('alice', 'blice'))),
    'altered',
    6,
    /does not match its fingerprint/,
  ],
  ['a record is deleted', edit(second, (lines) => lines.toSpliced(1, 1)), 'missing', 6, /Record 6 is missing/],
  [
    'the last of a file is deleted',
    edit(second, (lines) => lines.slice(0, -1)),
    'missing',
    8,
    /the file before it is/i,
  ],
  [
    'a record is inserted',
    edit(second, (lines) => lines.toSpliced(2, 0, forged(lines, 2))),
    'out-of-place',
    8,
    /should be record|exchanged/,
  ],
  [
    'a record is put in place of another',
    edit(second, (lines) => lines.with(2, forged(lines, 2))),
    'out-of-place',
    8,
    /exchanged/,
  ],
  [
    'two records are exchanged',
    edit(second, (lines) => lines.with(1, lines[2] ?? '').with(2, lines[1] ?? '')),
    'out-of-place',
    6,
    /follows on line/,
  ],
  [
    'a file in the middle is deleted',
    async () => rm(await second()),
    'missing',
    5,
    /Records 5 to 8 are missing.*a file between the two is gone/,
  ],
  ['the first file is deleted', async () => rm(await nth(0)), 'ok', 0, /./],
  [
    'two files are swapped',
    async () => {
      const [, one = '', two = ''] = await files();
      await rename(one, `${one}.x`);
      await rename(two, one);
      await rename(`${one}.x`, two);
    },
    'out-of-place',
    5,
    /not in its place/,
  ],
  [
    'the end of the newest file is cut off',
    edit(
      () => Promise.resolve(path),
      (lines) => lines.slice(0, 2),
    ),
    'cut-off',
    15,
    /record 16 was written: its end was cut off/,
  ],
  ['the newest file is emptied', () => truncate(path, 0), 'cut-off', 13, /ends at record 12/],
  ['the newest file is deleted', () => rm(path), 'cut-off', 13, /ends at record 12/],
];

describe('when', () => {
  it.each(tampering)('%s, the first broken record is named, and how', async (...[, how, reason, sequence, said]) => {
    await how();
    const { ok, result, begins } = await verify();
    if (reason === 'ok') {
      expect({ ok, begins }).toEqual({ ok: true, begins: 'at a checkpoint' });
      return;
    }
    expect(result).toMatchObject({ ok: false, reason, sequence, message: expect.stringMatching(said) });
    expect(ok).toBe(false);
  });

  it('all of it is written anew with a chain of its own, the checkpoint that was kept accuses', async () => {
    const kept = await stored();
    for (const file of await files()) await rm(file);
    await rm(checkpointsPath(path));
    await write(14, { authority: 'replica one' });
    expect(await verify()).toMatchObject({ ok: true });
    expect(await verify({ kept })).toMatchObject({
      ok: false,
      result: { reason: 'rewritten', sequence: kept[0]?.sequence },
    });
    expect(await verify({ kept: kept.slice(-1) })).toMatchObject({
      ok: false,
      result: { reason: 'rewritten', sequence: 16 },
    });
  });

  it('the end is cut off and the checkpoints beside it too, the one that was kept elsewhere shows it', async () => {
    const kept = (await stored()).slice(-1);
    await rm(path);
    await rm(checkpointsPath(path));
    expect(await verify()).toMatchObject({ ok: true, records: 12 });
    expect(await verify({ kept })).toMatchObject({ ok: false, result: { reason: 'cut-off', sequence: 13 } });
    expect(await verify({ kept, keyless: true })).toMatchObject({ ok: false, result: { reason: 'cut-off' } });
  });

  const forge: readonly [string, (checkpoint: Checkpoint) => Checkpoint][] = [
    ['another fingerprint', (checkpoint) => ({ ...checkpoint, fingerprint: 'f'.repeat(64) })],
    ['another number', (checkpoint) => ({ ...checkpoint, sequence: 17 })],
    ['another time', (checkpoint) => ({ ...checkpoint, timeMs: checkpoint.timeMs + 1000 })],
    ['another writer', (checkpoint) => ({ ...checkpoint, authority: 'somebody' })],
    ['another signature', (checkpoint) => ({ ...checkpoint, signature: 'A'.repeat(86) })],
  ];

  it.each(forge)(
    'a checkpoint is given %s, it is called forged, and the record is still told intact',
    async (_, how) => {
      const checkpoint = (await stored()).at(-1);
      if (checkpoint === undefined) throw new Error('there is a checkpoint');
      await appendFile(checkpointsPath(path), `${checkpointLine(how(checkpoint))}\n`);
      const proof = await verify();
      expect(proof).toMatchObject({ ok: false, result: { ok: true }, checkpoints: { forged: [{ from: 'beside' }] } });
    },
  );

  it('a checkpoint is signed by a key that nobody named, nothing is concluded from it', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const tail = { sequence: 99, uid: 'x', fingerprint: 'e'.repeat(64) };
    const other = signCheckpoint({ tail, authority: 'x', timeMs: 0 }, { id: 'other', privateKey, publicKey });
    await appendFile(checkpointsPath(path), `${checkpointLine(other)}\n`);
    expect(await verify()).toMatchObject({ ok: true, checkpoints: { unknownKey: 1 } });
  });

  it('the first files are gone and a checkpoint without a good signature stands for them, it does not count', async () => {
    const [first] = await stored();
    await rm(await nth(0));
    expect(await verify()).toMatchObject({ ok: true, begins: 'at a checkpoint', records: 12 });
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    if (first === undefined) throw new Error('there is a checkpoint');
    const other = signCheckpoint({ tail: first, authority: 'x', timeMs: 0 }, { id: 'other', privateKey, publicKey });
    await writeFile(checkpointsPath(path), `${checkpointLine(other)}\n`);
    expect(await verify()).toMatchObject({
      ok: false,
      result: {
        reason: 'missing',
        sequence: 1,
        message: expect.stringContaining('no signed checkpoint stands for it'),
      },
    });
  });
});

describe('a checkpoint', () => {
  it('is one line without a space, and survives a mail that breaks it', async () => {
    const checkpoint = (await stored()).at(-1);
    if (checkpoint === undefined) throw new Error('there is a checkpoint');
    const line = checkpointLine(checkpoint);
    expect(line).not.toMatch(/\s/);
    expect(line).toContain(String.raw`replica\u0020one`);
    expect(parseCheckpoint(line)).toEqual(checkpoint);
    expect(parseCheckpoint(`${line.replaceAll(/.{60}/g, '$&\r\n  ')}\n`)).toEqual(checkpoint);
  });

  it.each(['', '{}', 'null', '{"checkpoint":"sallyport-audit-checkpoint-v1"}', '['.repeat(10_000)])(
    'is not: %.60s',
    (text) => {
      expect(parseCheckpoint(text)).toBeUndefined();
    },
  );

  it('whose writing a power loss tore is passed over', async () => {
    const file = checkpointsPath(path);
    const count = (await stored()).length;
    await truncate(file, (await readFile(file)).length - 30);
    expect((await readCheckpoints(file)).checkpoints).toHaveLength(count - 1);
    await write(1);
    const { checkpoints, unreadable } = await readCheckpoints(file);
    expect(unreadable).toEqual([]);
    expect(checkpoints.at(-1)?.sequence).toBe(19);
    expect(await verify()).toMatchObject({ ok: true });
  });

  it('is made at its number of records, only of what is on disk, and handed over to be shipped', async () => {
    const shipped: number[] = [];
    const onCheckpoint = (checkpoint: Checkpoint): void => {
      shipped.push(checkpoint.sequence);
    };
    await write(40, {
      rotate: { maxBytes: Infinity, maxAgeMs: Infinity },
      checkpoints: { key, everyRecords: 10, everyMs: 3_600_000, onCheckpoint },
    });
    expect(shipped.length).toBeGreaterThanOrEqual(4);
    expect(shipped).toEqual(shipped.toSorted((a, b) => a - b));
    expect(shipped.at(-1)).toBe(16 + 42);
    expect(await verify()).toMatchObject({ ok: true });
  });
});
