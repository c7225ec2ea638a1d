/**
 * The files of one record. The newest is the configured path; at a rotation it is renamed after the sequence number of its
 * first record, so that the names sort as the chain runs: `audit.jsonl`, before it `audit.000000184301.jsonl`.
 */

import { readdir } from 'node:fs/promises';
import path from 'node:path';

/** Digits of a sequence number in a name; larger numbers make longer names. */
const DIGITS = 12;

export type Segment = {
  readonly path: string;
  /** The sequence number of its first record; undefined for the file that is written to. */
  readonly first: number | undefined;
};

/** Where the file at `file` goes when its first record has the number `first`. */
export function segmentPath(file: string, first: number): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.${String(first).padStart(DIGITS, '0')}${ext}`);
}

/** Is this the name of a file that rotation has put aside? */
export const isSegmentPath = (file: string): boolean => /\.\d{12,16}$/.test(path.parse(file).name);

/** Oldest first, the file that is written to last, whether it exists or not. @throws the file system's error, but for a folder that is missing */
export async function segmentsOf(file: string): Promise<readonly Segment[]> {
  const { dir, name, ext } = path.parse(file);
  const older: { path: string; first: number }[] = [];
  for (const found of await namesIn(dir)) {
    if (!found.startsWith(`${name}.`) || !found.endsWith(ext)) continue;
    const digits = found.slice(name.length + 1, found.length - ext.length);
    if (/^\d{12,16}$/.test(digits)) older.push({ path: path.join(dir, found), first: Number(digits) });
  }
  return [...older.sort((a, b) => a.first - b.first), { path: file, first: undefined }];
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
