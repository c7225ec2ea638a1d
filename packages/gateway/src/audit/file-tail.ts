/**
 * Where the chain of an existing file goes on. A crash or a power loss can leave a torn or damaged end; that part is
 * moved into a file of its own, never thrown away, and the next record says so.
 */

import { open, type FileHandle } from 'node:fs/promises';

import { readLine, type ChainTail } from './chain.ts';
import { MAX_LINE_CHARS } from './verify.ts';

export type Repair = { readonly bytes: number; readonly keptIn: string };

export type FileTail = { readonly tail: ChainTail | undefined; readonly repair: Repair | undefined };

/** Nothing in the last part of the file is a record: somebody has to look before anything is written behind it. */
export class UnreadableTailError extends Error {
  constructor(path: string) {
    super(
      `The end of the audit file ${path} holds no intact record, so its chain cannot be continued. ` +
        `Look at it with "sallyport audit verify ${path}", then move it aside; a new file is begun at the next start.`,
    );
    this.name = 'UnreadableTailError';
  }
}

const WINDOW_BYTES = MAX_LINE_CHARS * 2;

/**
 * Finds the newest intact record and cuts off what stands behind it, keeping the cut part in `<path>.torn-<nowMs>`.
 *
 * @throws UnreadableTailError, or the file system's error
 */
export async function readFileTail(path: string, nowMs: number): Promise<FileTail> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    if (size === 0) return { tail: undefined, repair: undefined };
    const start = Math.max(0, size - WINDOW_BYTES);
    const bytes = await readRange(file, start, size);
    const found = lastIntact(bytes, start === 0);
    if (found === undefined) throw new UnreadableTailError(path);
    const end = start + found.end;
    if (end === size) return { tail: found.tail, repair: undefined };
    const keptIn = `${path}.torn-${nowMs}`;
    await keep(keptIn, bytes.subarray(found.end));
    await file.truncate(end);
    await file.sync();
    return { tail: found.tail, repair: { bytes: size - end, keptIn } };
  } finally {
    await file.close();
  }
}

async function readRange(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

const NEWLINE = 0x0a;

/** `end` is behind the record's newline. A file that holds only the torn first record has no tail and ends at 0. */
function lastIntact(bytes: Buffer, fromStart: boolean): { tail: ChainTail | undefined; end: number } | undefined {
  let end = bytes.length;
  while (end > 0) {
    const newline = bytes.lastIndexOf(NEWLINE, end - 1);
    if (newline === -1) break;
    const before = newline === 0 ? -1 : bytes.lastIndexOf(NEWLINE, newline - 1);
    if (before === -1 && !fromStart) break;
    const record = readLine(bytes.toString('latin1', before + 1, newline));
    if (record?.intact === true) {
      const { sequence, uid, fingerprint } = record;
      return { tail: { sequence, uid, fingerprint }, end: newline + 1 };
    }
    end = before + 1;
  }
  return fromStart && !bytes.includes(NEWLINE) ? { tail: undefined, end: 0 } : undefined;
}

async function keep(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
