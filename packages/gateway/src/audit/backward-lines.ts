/**
 * The lines of a file from its end to its beginning, in pieces of bounded size: the newest records are asked for most, and
 * a file may have any size. What stands behind the last newline is a record that is still being written, or a torn one.
 */

import type { FileHandle } from 'node:fs/promises';

import { MAX_LINE_CHARS } from './verify.ts';

export type PlacedLine = {
  readonly line: string;
  /** Where it begins, in bytes. */
  readonly at: number;
};

export type Piece = {
  /** Newest first. */
  readonly lines: readonly PlacedLine[];
  /** What was read of the file for them. */
  readonly bytes: number;
};

/** About a hundred records: 1 ms of work, and then the event loop has its turn. */
const PIECE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** @param end Where a line ends, newline included; or the size of the file. */
export async function* piecesBackwards(file: FileHandle, end: number): AsyncGenerator<Piece> {
  let size = PIECE_BYTES;
  let until = end;
  while (until > 0) {
    const start = Math.max(0, until - size);
    const bytes = await readRange(file, start, until);
    const last = bytes.lastIndexOf(NEWLINE);
    // The line that is cut in two belongs to the next piece.
    const first = start === 0 ? -1 : bytes.indexOf(NEWLINE);
    if (last === first && start > 0 && size <= MAX_LINE_CHARS) {
      size *= 2;
      continue;
    }
    if (last > first) yield { lines: linesOf(bytes, start + first + 1, start, last), bytes: bytes.length };
    // Without an end within a line's greatest length, this is no record: it is passed over.
    until = last > first ? start + first + 1 : start;
    size = PIECE_BYTES;
  }
}

/** The lines between `from` (in the file) and the newline at `last` (in the piece), the last one first. */
function linesOf(bytes: Buffer, from: number, start: number, last: number): PlacedLine[] {
  // Records are ASCII: in Latin-1 a character is a byte, so places in the text are places in the file.
  const lines = bytes.toString('latin1', from - start, last).split('\n');
  let at = from;
  const placed = lines.map((line) => {
    const one = { line, at };
    at += line.length + 1;
    return one;
  });
  return placed.toReversed();
}

export async function readRange(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
