import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { describeAuditReader } from './audit-reader.contract.ts';
import { createFileAuditReader, recordLines as linesOfFiles } from './file-audit-reader.ts';
import { decodeCursor, encodeCursor } from './record-cursor.ts';
import { recordLines } from './record-lines.fixture.ts';
import { segmentPath } from './segments.ts';

const NOON = 1_790_000_000_000;
const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

let folder: string;
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'audit-reader-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const newFile = (): string => path.join(folder, `audit-${made++}.jsonl`);

async function fileOf(lines: readonly string[]): Promise<string> {
  const file = newFile();
  await writeFile(file, text(lines));
  return file;
}

/** So that every file holds a few records: where one ends and another begins is where readers go wrong. */
async function rotatedFileOf(lines: readonly string[], perFile: number): Promise<string> {
  const file = newFile();
  const parts = Array.from({ length: Math.ceil(lines.length / perFile) }, (_, index) => index * perFile);
  for (const from of parts) {
    const isLast = from + perFile >= lines.length;
    await writeFile(isLast ? file : segmentPath(file, from + 1), text(lines.slice(from, from + perFile)));
  }
  return file;
}

describeAuditReader('one file', async (lines) => createFileAuditReader({ path: await fileOf(lines) }));
describeAuditReader('rotated files', async (lines) => createFileAuditReader({ path: await rotatedFileOf(lines, 2) }));

const ids = ({ found }: { found: readonly { record: { requestId: string } }[] }): readonly string[] =>
  found.map(({ record }) => record.requestId);

describe('a search of files', () => {
  it('leaves out a record that is still being written, and passes over what is none', async () => {
    const record = recordLines();
    record.outcome({ id: 'a', timeMs: NOON });
    record.outcome({ id: 'b', timeMs: NOON });
    const file = await fileOf([
      record.lines[0] ?? '',
      'no record',
      '{"a":1}',
      '\u0000'.repeat(300),
      record.lines[1] ?? '',
    ]);
    await appendFile(file, (record.lines[1] ?? '').slice(0, 50));
    expect(ids(await createFileAuditReader({ path: file }).search({}, { limit: 9 }))).toEqual(['b', 'a']);
  });

  it('passes over a line that is longer than any record', async () => {
    const record = recordLines();
    record.outcome({ id: 'a', timeMs: NOON });
    record.outcome({ id: 'b', timeMs: NOON });
    const file = await fileOf([record.lines[0] ?? '', 'x'.repeat(5_000_000), record.lines[1] ?? '']);
    expect(ids(await createFileAuditReader({ path: file }).search({}, { limit: 9 }))).toEqual(['b', 'a']);
  });

  it('looks through so many bytes for a page, and goes on from there', async () => {
    const record = recordLines();
    for (let index = 0; index < 300; index++) record.outcome({ id: `r-${index}`, timeMs: NOON });
    const reader = createFileAuditReader({ path: await fileOf(record.lines), maxPageBytes: 70_000 });
    let after: string | undefined;
    const pages: (readonly string[])[] = [];
    do {
      const page = await reader.search({ request: 'r-3' }, { limit: 5, ...(after === undefined ? {} : { after }) });
      pages.push(ids(page));
      after = page.next;
    } while (after !== undefined);
    expect(pages.length).toBeGreaterThan(2);
    expect(pages[0]).toEqual([]);
    expect(pages.flat()).toEqual(['r-3']);
  });

  it('goes on in a file that was rotated between two pages, and takes no new record for an old one', async () => {
    const record = recordLines();
    for (const id of ['a', 'b', 'c']) record.outcome({ id, timeMs: NOON });
    const file = await fileOf(record.lines);
    const reader = createFileAuditReader({ path: file });
    const first = await reader.search({}, { limit: 1 });
    await rename(file, segmentPath(file, 1));
    record.outcome({ id: 'd', timeMs: NOON });
    await writeFile(file, text(record.lines.slice(3)));
    const second = await reader.search({}, { limit: 5, ...(first.next === undefined ? {} : { after: first.next }) });
    expect([ids(first), ids(second)]).toEqual([['c'], ['b', 'a']]);
  });

  it('says so when the records that a cursor leads to are not kept any more', async () => {
    const record = recordLines();
    for (const id of ['a', 'b']) record.outcome({ id, timeMs: NOON });
    const file = await fileOf(record.lines);
    const reader = createFileAuditReader({ path: file });
    const { next = '' } = await reader.search({}, { limit: 1 });
    await truncate(file, 0);
    await expect(reader.search({}, { limit: 1, after: next })).rejects.toThrow(/not kept any more/);
  });

  it('is refused while as many run as may', async () => {
    const record = recordLines();
    record.outcome({ id: 'a', timeMs: NOON });
    const reader = createFileAuditReader({ path: await fileOf(record.lines), maxSearches: 1 });
    const running = reader.search({}, { limit: 1 });
    await expect(reader.search({}, { limit: 1 })).rejects.toMatchObject({ failure: { code: 'overloaded' } });
    expect(ids(await running)).toEqual(['a']);
    expect(ids(await reader.search({}, { limit: 1 }))).toEqual(['a']);
  });

  it('is not misled by a clock that was set back a little, and ends at what is older than asked for', async () => {
    const record = recordLines();
    record.outcome({ id: 'old', timeMs: NOON - 10 * 3_600_000 });
    record.outcome({ id: 'a', timeMs: NOON + 1 });
    record.outcome({ id: 'set back', timeMs: NOON - 1 });
    record.outcome({ id: 'b', timeMs: NOON + 2 });
    const reader = createFileAuditReader({ path: await fileOf(record.lines) });
    expect(ids(await reader.search({ sinceMs: NOON }, { limit: 9 }))).toEqual(['b', 'a']);
  });

  it('tells how far the reading of a month has come', async () => {
    const record = recordLines();
    for (let index = 0; index < 5; index++) record.outcome({ id: `r-${index}`, timeMs: NOON });
    const file = await rotatedFileOf(record.lines, 2);
    const told: (readonly [number, number])[] = [];
    const range = { sinceMs: NOON, untilMs: NOON + 1 };
    let count = 0;
    for await (const _ of linesOfFiles(file, range, (read, total) => void told.push([read, total]))) count++;
    expect(count).toBe(5);
    expect(told).toHaveLength(3);
    expect(told.at(-1)?.[0]).toBe(told[0]?.[1]);
  });
});

describe('where a search goes on', () => {
  it('is read back as it was written', () => {
    const cursor = { file: 184_301, end: 99_000_000_000, settled: [900, 899, 12], unsure: [3, 9] as const };
    expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
    expect(decodeCursor(encodeCursor({ file: 1, end: 0, settled: [] }))).toEqual({ file: 1, end: 0, settled: [] });
  });

  it('stays small however many calls were in flight, and knows of which it is not sure', () => {
    const settled = Array.from({ length: 5_000 }, (_, index) => 1_000_000 + 7 * index);
    const written = encodeCursor({ file: 1, end: 5, settled });
    expect(written.length).toBeLessThan(2_000);
    const { settled: kept, unsure } = decodeCursor(written) ?? {};
    expect(kept).toHaveLength(400);
    expect(unsure).toEqual([1_000_000, 1_000_000 + 7 * 4_599]);
  });
});
