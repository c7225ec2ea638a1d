import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { segmentPath } from '../segments.ts';
import { inbound } from '../testing.ts';
import { Follower, type Trouble } from './follower.ts';
import { RecordFiles } from './record-files.fixture.ts';
import type { SinkPosition } from './sink-position.ts';

const LIMITS = { maxRecords: 1000, maxBytes: 1_000_000, lingerMs: 1 };
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-follower-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function files(folder = newFolder(), chainUid = 'c1'): Promise<RecordFiles> {
  const record = await new RecordFiles(folder, chainUid).open();
  cleanups.push(() => record.close());
  return record;
}

function follow({ file, mark }: RecordFiles, position?: SinkPosition) {
  const troubles: Trouble[] = [];
  const follower = new Follower({ path: file, mark, position, onTrouble: (one) => troubles.push(one), pollMs: 5 });
  cleanups.push(() => follower.close());
  let last = position;
  /** Numbers of the next batches, until so many records came. */
  const take = async (count: number, limits = LIMITS): Promise<number[]> => {
    const taken: number[] = [];
    while (taken.length < count) {
      const { records } = await follower.next(limits, AbortSignal.timeout(10_000));
      last = records.at(-1)?.position;
      taken.push(...records.map(({ position: { sequence } }) => sequence));
    }
    return taken;
  };
  /** That there is nothing more, as far as two looks can tell. */
  const nothing = async (): Promise<void> => {
    await expect(follower.next(LIMITS, AbortSignal.timeout(40))).rejects.toThrow(/timeout/);
  };
  return { follower, troubles, take, nothing, position: () => last };
}

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('following the record', () => {
  it('gives every record once and in order, as the line that stands in the file', async () => {
    const record = await files();
    await record.records(500);
    const { follower } = follow(record);
    const lines: string[] = [];
    while (lines.length < 500) {
      const { records, bytes } = await follower.next({ ...LIMITS, maxRecords: 64 }, AbortSignal.timeout(10_000));
      expect(records.length).toBeLessThanOrEqual(64);
      expect(bytes).toBe(records.reduce((sum, { line }) => sum + line.length + 1, 0));
      lines.push(...records.map(({ line }) => line));
    }
    expect(`${lines.join('\n')}\n`).toBe(await readFile(record.file, 'latin1'));
  });

  it('keeps a batch below its bytes, and gives a larger record alone', async () => {
    const record = await files();
    await record.records(9);
    const { take } = follow(record);
    expect(await take(1, { ...LIMITS, maxBytes: 10 })).toEqual([1]);
    expect(await take(1, { ...LIMITS, maxBytes: 10 })).toEqual([2]);
  });

  it('gives no record before it is on stable storage', async () => {
    const record = await files();
    await record.write(record.line(), record.line());
    const { take, nothing } = follow(record);
    await nothing();
    await record.sync();
    expect(await take(2)).toEqual([1, 2]);
  });

  it('gives no line before it is whole', async () => {
    const record = await files();
    const [one, two] = [record.line(), record.line()];
    await record.write(one, two.subarray(0, 100));
    await record.sync();
    const { take, nothing, troubles } = follow(record);
    expect(await take(1)).toEqual([1]);
    await nothing();
    await record.write(two.subarray(100));
    await record.sync();
    expect(await take(1)).toEqual([2]);
    expect(troubles).toEqual([]);
  });

  it('goes on behind the position, wherever in the files that is', async () => {
    const record = await files();
    await record.records(300);
    await record.rotate();
    await record.records(300);
    for (const at of [1, 150, 300, 301, 450, 599]) {
      const before = follow(record);
      await before.take(at, { ...LIMITS, maxRecords: 1 });
      expect(before.position()?.sequence).toBe(at);
      const { take, troubles } = follow(record, before.position());
      expect(await take(600 - at)).toEqual(numbers(at + 1, 600));
      expect(troubles).toEqual([]);
    }
  });

  it('goes on behind the position when the hint is wrong', async () => {
    const record = await files();
    await record.records(50);
    const { take, position } = follow(record);
    await take(20, { ...LIMITS, maxRecords: 20 });
    const at = position();
    if (at === undefined) throw new Error('no position');
    for (const wrong of [{ at: 7 }, { at: 1_000_000 }, { file: 40 }]) {
      const again = follow(record, { ...at, ...wrong });
      expect(await again.take(30)).toEqual(numbers(21, 50));
      expect(again.troubles).toEqual([]);
    }
  });

  it('notices rotations while it follows, several at once, without losing or repeating a record', async () => {
    const record = await files();
    await record.records(10);
    const { take, troubles, nothing } = follow(record);
    expect(await take(10)).toEqual(numbers(1, 10));
    await record.records(5);
    await record.rotate();
    await record.records(5);
    await record.rotate();
    await record.records(5);
    expect(await take(15)).toEqual(numbers(11, 25));
    await nothing();
    expect(troubles).toEqual([]);
  });

  it('goes past a file without a record', async () => {
    const record = await files();
    await record.records(3);
    await record.rotate();
    await writeFile(segmentPath(record.file, 4), '');
    await record.records(3);
    const { take, troubles } = follow(record);
    expect(await take(6)).toEqual(numbers(1, 6));
    expect(troubles).toEqual([]);
  });

  it('counts the records of files that were deleted before it could have them', async () => {
    const record = await files();
    await record.records(10);
    const { take, position } = follow(record);
    await take(4, { ...LIMITS, maxRecords: 4 });
    const first = await record.rotate();
    await record.records(10);
    const second = await record.rotate();
    await record.records(10);
    await rm(first);
    await rm(second);
    const { take: takeAgain, troubles, position: now } = follow(record, position());
    expect(await takeAgain(10)).toEqual(numbers(21, 30));
    expect(troubles).toEqual([{ kind: 'gap', after: 4, missed: 16 }]);
    expect(now()).toMatchObject({ missed: 16 });
  });

  it('counts lines that were cut out of a file', async () => {
    const record = await files();
    const [one, , three] = [record.line(), record.line(), record.line()];
    await record.write(one, three ?? one);
    await record.sync();
    const { take, troubles } = follow(record);
    expect(await take(2)).toEqual([1, 3]);
    expect(troubles).toEqual([{ kind: 'gap', after: 1, missed: 1 }]);
  });

  it('tells of a line that is no record, and gives the others', async () => {
    const record = await files();
    await record.write(record.line(), Buffer.from('not a record\n'), record.line());
    await record.sync();
    const { take, troubles } = follow(record);
    expect(await take(2)).toEqual([1, 2]);
    expect(troubles).toEqual([{ kind: 'damage', file: record.file, bytes: 12 }]);
  });

  it('tells of a file that ends in the middle of a line, and goes on with the next file', async () => {
    const record = await files();
    await record.write(record.line(), Buffer.from('{"class_uid":6'));
    await record.rotate();
    await record.records(1);
    const { take, troubles } = follow(record);
    expect(await take(2)).toEqual([1, 2]);
    expect(troubles).toMatchObject([{ kind: 'damage', bytes: 14 }]);
  });

  it('begins again at the oldest record when what stands at the position is another one', async () => {
    const record = await files();
    await record.records(10);
    const { take, position } = follow(record);
    await take(8, { ...LIMITS, maxRecords: 8 });
    await rm(record.file);
    for (const count of [10, 3]) {
      const other = await files(newFolder(), 'c2');
      await other.records(count);
      const again = follow(other, position());
      expect(await again.take(count)).toEqual(numbers(1, count));
      expect(again.troubles).toEqual([{ kind: 'fork', at: position() }]);
    }
  });

  it('goes on in a file that was emptied and opened again', async () => {
    const record = await files();
    await record.records(10);
    const { take, troubles } = follow(record);
    await take(10);
    await truncate(record.file, 0);
    await record.open();
    await record.records(20);
    expect(await take(20)).toEqual(numbers(11, 30));
    expect(troubles).toEqual([]);
  });

  it('waits for a file that is not there yet, and ends when it is told to', async () => {
    const record = new RecordFiles(newFolder());
    const { take, nothing } = follow(record);
    await nothing();
    await record.open();
    cleanups.push(() => record.close());
    await record.records(2);
    expect(await take(2)).toEqual([1, 2]);
  });

  it('is not led astray by a caller who writes what looks like a place in the record', async () => {
    const record = await files();
    const name = '","uid":"x-9","sequence":9,"time":1,"x":"';
    const request = inbound();
    const client = { ...request.client, info: { name, version: name } };
    await record.write(record.outcome({ request: { ...request, client } }));
    await record.sync();
    const { follower } = follow(record);
    const { records } = await follower.next(LIMITS, AbortSignal.timeout(10_000));
    expect(records).toMatchObject([{ timeMs: 1_790_000_000_002, position: { sequence: 1, uid: 'c1-1' } }]);
  });
});
