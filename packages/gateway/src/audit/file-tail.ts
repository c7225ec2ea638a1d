/**
 * Where the chain of an existing file goes on. A crash or a power loss can leave a torn or damaged end; that part is
 * moved into a file of its own, never thrown away, and the next record says so.
 */

import { open } from 'node:fs/promises';

import { readRange } from './backward-lines.ts';
import { readLine, type ChainTail, type ReadLine } from './chain.ts';
import { MAX_LINE_CHARS } from './verify.ts';

export type Repair = { readonly bytes: number; readonly keptIn: string };

export type FileTail = {
  readonly tail: ChainTail | undefined;
  /** Its line. */
  readonly line: string | undefined;
  readonly repair: Repair | undefined;
};

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

const NEWLINE = 0x0a;
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
    if (size === 0) return { tail: undefined, line: undefined, repair: undefined };
    const start = Math.max(0, size - WINDOW_BYTES);
    const bytes = await readRange(file, start, size);
    const found = lastIntact(bytes, start === 0);
    if (found === undefined) throw new UnreadableTailError(path);
    const { record, line } = found;
    const tail = record && { sequence: record.sequence, uid: record.uid, fingerprint: record.fingerprint };
    const end = start + found.end;
    if (end === size) return { tail, line, repair: undefined };
    const keptIn = `${path}.torn-${nowMs}`;
    await keep(keptIn, bytes.subarray(found.end));
    await file.truncate(end);
    await file.sync();
    return { tail, line, repair: { bytes: size - end, keptIn } };
  } finally {
    await file.close();
  }
}

/** The first and the newest intact record of a file that nobody writes to. Undefined when it holds none. */
export async function readEnds(path: string): Promise<{ first: ReadLine; last: ReadLine } | undefined> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const first = readFirst(await readRange(file, 0, Math.min(size, MAX_LINE_CHARS + 1)));
    const start = Math.max(0, size - WINDOW_BYTES);
    const last = lastIntact(await readRange(file, start, size), start === 0)?.record;
    return first === undefined || last === undefined ? undefined : { first, last };
  } finally {
    await file.close();
  }
}

/** The first line of a file, without its newline; undefined when it has none. */
export async function readFirstLine(path: string): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = await readRange(file, 0, Math.min(size, MAX_LINE_CHARS + 1));
    const newline = bytes.indexOf(NEWLINE);
    return newline === -1 ? undefined : bytes.toString('latin1', 0, newline);
  } finally {
    await file.close();
  }
}

function readFirst(bytes: Buffer): ReadLine | undefined {
  const newline = bytes.indexOf(NEWLINE);
  return newline === -1 ? undefined : readLine(bytes.toString('latin1', 0, newline));
}

type LastIntact = { readonly record: ReadLine | undefined; readonly line: string | undefined; readonly end: number };

/** `end` is behind the record's newline. A file that holds only the torn first record has no tail and ends at 0. */
function lastIntact(bytes: Buffer, fromStart: boolean): LastIntact | undefined {
  let end = bytes.length;
  while (end > 0) {
    const newline = bytes.lastIndexOf(NEWLINE, end - 1);
    if (newline === -1) break;
    const before = newline === 0 ? -1 : bytes.lastIndexOf(NEWLINE, newline - 1);
    if (before === -1 && !fromStart) break;
    const line = bytes.toString('latin1', before + 1, newline);
    const record = readLine(line);
    if (record?.intact === true) return { record, line, end: newline + 1 };
    end = before + 1;
  }
  return fromStart && !bytes.includes(NEWLINE) ? { record: undefined, line: undefined, end: 0 } : undefined;
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
