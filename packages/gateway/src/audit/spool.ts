/**
 * Where records go while the audit file refuses them: a file on another disk, so that a kill does not take what waits in
 * memory. Its lines are those of the chain, ready to follow the file's newest record; once the file has taken them, the
 * spool is removed. One that a crash left behind is taken in at the next start.
 */

import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncFolder, type AuditFiles } from './append-file.ts';
import { BatchWriter } from './batch-writer.ts';
import { readLine, type ChainTail } from './chain.ts';
import { hasCode } from './error-code.ts';
import { MAX_LINE_CHARS } from './verify.ts';

export type SpoolOptions = {
  readonly path: string;
  readonly files: Pick<AuditFiles, 'open'>;
  readonly batchMs: number;
  /** It cannot take records either. */
  readonly onFailure: (error: unknown) => void;
};

export interface Spool {
  /** The file refuses: what waits, and from now on every line, goes here as well. */
  begin(waiting: readonly Buffer[]): void;
  add(line: Buffer): void;
  /** The file has everything: removes the spool. */
  end(): void;
  /** Why it refuses; undefined while it takes what it is given, or is not needed. */
  readonly error: unknown;
  /** Syncs and closes; the file stays when the record could not take it in. */
  close(): Promise<void>;
}

const BOUNDS = { syncMs: 200, retryMs: 1000, maxWaitMs: 5000, maxWriteBytes: 1_048_576 };

/** One time that the file refused, from its beginning until the file had everything. */
type Outage = { readonly waiting: Buffer[]; writer?: BatchWriter; isOver: boolean };

export function createSpool(options: SpoolOptions): Spool {
  let outage: Outage | undefined;
  let error: unknown;
  /** Opening and removing, one after the other: an outage may end while its spool is still being opened. */
  let queue: Promise<void> = Promise.resolve();
  let isOpening = false;

  const attempted = (failure: unknown): void => {
    if (failure !== undefined && error === undefined) options.onFailure(failure);
    error = failure;
  };

  const openFor = async (of: Outage): Promise<void> => {
    if (of.isOver || of.writer !== undefined) return;
    const file = await options.files.open(options.path);
    const writer = new BatchWriter({ file, batchMs: options.batchMs, ...BOUNDS, onAttempt: attempted });
    for (const line of of.waiting.splice(0)) writer.add(line);
    of.writer = writer;
    await writer.durable();
  };

  const begin = (of: Outage): void => {
    if (isOpening) return;
    isOpening = true;
    queue = queue
      .then(() => openFor(of))
      .catch(attempted)
      .finally(() => {
        isOpening = false;
      });
  };

  const remove = async ({ writer }: Outage): Promise<void> => {
    await writer?.close().catch(() => undefined);
    await unlink(options.path).catch((failure: unknown) => {
      if (!hasCode(failure, 'ENOENT')) throw failure;
    });
  };

  return {
    begin(lines) {
      if (outage !== undefined) return;
      outage = { waiting: [...lines], isOver: false };
      isOpening = false;
      begin(outage);
    },
    add(line) {
      if (outage === undefined) return;
      if (outage.writer !== undefined) {
        outage.writer.add(line);
        return;
      }
      outage.waiting.push(line);
      // It could not be opened: tried again with the next line.
      if (error !== undefined) begin(outage);
    },
    end() {
      if (outage === undefined) return;
      const over = outage;
      outage = undefined;
      over.isOver = true;
      error = undefined;
      queue = queue.then(() => remove(over)).catch(options.onFailure);
    },
    get error() {
      return outage === undefined ? undefined : error;
    },
    async close() {
      await queue;
      await outage?.writer?.close();
    },
  };
}

export type TakenIn = {
  /** Lines that follow the record, newlines included. */
  readonly bytes: Buffer;
  readonly records: number;
  readonly tail: ChainTail | undefined;
  /** Bytes that do not follow it: somebody has to look at them. */
  readonly strayBytes: number;
};

/** More than the bound of what waits in memory could ever have written. */
const MAX_SPOOL_BYTES = 512 * 1_048_576;

/** What of a spool that a crash left behind continues the record that ends in `tail`. Undefined where there is no spool. */
export async function readSpool(path: string, tail: ChainTail | undefined): Promise<TakenIn | undefined> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > MAX_SPOOL_BYTES) throw new Error(`The audit spool ${path} is larger than any that was written here.`);
    return following(await handle.readFile(), tail);
  } finally {
    await handle.close();
  }
}

const NEWLINE = 0x0a;

function following(bytes: Buffer, after: ChainTail | undefined): TakenIn {
  let tail = after;
  let start = 0;
  let end = 0;
  let records = 0;
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    if (newline === -1 || newline - at > MAX_LINE_CHARS) break;
    const record = readLine(bytes.toString('latin1', at, newline));
    if (record?.intact !== true) break;
    at = newline + 1;
    // The file had taken it before it began to refuse.
    if (record.sequence <= (after?.sequence ?? 0)) {
      start = at;
      end = at;
      continue;
    }
    if (record.sequence !== (tail?.sequence ?? 0) + 1 || record.previous !== tail?.fingerprint) break;
    tail = { sequence: record.sequence, uid: record.uid, fingerprint: record.fingerprint };
    end = at;
    records++;
  }
  return { bytes: bytes.subarray(start, end), records, tail, strayBytes: bytes.length - end };
}

/** Once the record has it; what did not follow is kept. @returns where */
export async function putAway(path: string, taken: TakenIn, nowMs: number): Promise<string | undefined> {
  if (taken.strayBytes === 0) {
    await unlink(path);
    return undefined;
  }
  const keptIn = `${path}.stray-${nowMs}`;
  await rename(path, keptIn);
  await syncFolder(dirname(path));
  return keptIn;
}
