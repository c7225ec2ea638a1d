/**
 * The files of a record as a reader takes them: each known by the number of its first record, because the one that is written
 * to gets another name at a rotation, which may come while it is being read.
 */

import type { FileHandle } from 'node:fs/promises';

import { readRange } from './backward-lines.ts';
import { openIfThere } from './open-if-there.ts';
import { segmentPath, segmentsOf } from './segments.ts';
import { toldRecord } from './told-record.ts';
import { MAX_LINE_CHARS } from './verify.ts';

export type OpenedFile = {
  readonly file: FileHandle;
  readonly bytes: number;
  /** Of its first readable record; 0 when there is none. */
  readonly timeMs: number;
};

/** By the numbers of their first records, oldest first. */
export async function recordFiles(path: string): Promise<readonly number[]> {
  // Before the others are listed: what is renamed meanwhile is then in both, and missing in neither.
  const newest = await firstIn(path);
  const older = (await segmentsOf(path)).flatMap(({ first }) => first ?? []);
  return [...new Set([...older, ...(newest === undefined ? [] : [newest.sequence])])];
}

/** Undefined when it is not there any more: deleted by the rules of retention. Close its handle. */
export async function openRecordFile(path: string, first: number): Promise<OpenedFile | undefined> {
  const named = segmentPath(path, first);
  // A rotation between the first two looks is caught by the third.
  for (const place of [named, path, named]) {
    const file = await openIfThere(place);
    if (file === undefined) continue;
    const found = await firstOf(file);
    if (place === named || found?.sequence === first) {
      return { file, bytes: (await file.stat()).size, timeMs: found?.timeMs ?? 0 };
    }
    await file.close();
  }
  return undefined;
}

type First = { readonly sequence: number; readonly timeMs: number };

const FIRST_BYTES = 8 * 1024;

async function firstOf(file: FileHandle): Promise<First | undefined> {
  const { size } = await file.stat();
  for (const bytes of [FIRST_BYTES, MAX_LINE_CHARS]) {
    const text = (await readRange(file, 0, Math.min(bytes, size))).toString('latin1');
    // A first line that was damaged hides none of the others.
    for (const line of text.split('\n').slice(0, -1)) {
      const record = toldRecord(line);
      if (record !== undefined) return record;
    }
  }
  return undefined;
}

async function firstIn(path: string): Promise<First | undefined> {
  await using file = await openIfThere(path);
  return file === undefined ? undefined : await firstOf(file);
}
