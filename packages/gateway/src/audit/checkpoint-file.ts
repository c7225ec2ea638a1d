/**
 * The checkpoints of a record, one a line, in a file beside it: `audit.checkpoints.jsonl`. Whoever ships them somewhere else
 * follows that file, or is called (`onCheckpoint`).
 */

import { appendFile, open, readFile } from 'node:fs/promises';
import path from 'node:path';

import { openAppendFile } from './append-file.ts';
import { checkpointLine, parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { hasCode } from './error-code.ts';

/** `data/audit.jsonl`: `data/audit.checkpoints.jsonl`. */
export function checkpointsPath(file: string): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.checkpoints${ext}`);
}

export type ReadCheckpoints = {
  readonly checkpoints: readonly Checkpoint[];
  /** Lines that are none, counted from 1; a torn last one, as a power loss leaves it, is not among them. */
  readonly unreadable: readonly number[];
};

/** Oldest first; none where there is no file. @throws the file system's error */
export async function readCheckpoints(file: string): Promise<ReadCheckpoints> {
  let text: string;
  try {
    text = await readFile(file, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { checkpoints: [], unreadable: [] };
    throw error;
  }
  const lines = text.split('\n');
  lines.pop();
  const checkpoints: Checkpoint[] = [];
  const unreadable: number[] = [];
  for (const [index, line] of lines.entries()) {
    const checkpoint = parseCheckpoint(line);
    if (checkpoint !== undefined) checkpoints.push(checkpoint);
    // What a power loss tore was closed with a newline at the next start.
    else if (line !== '' && !line.endsWith(TORN)) unreadable.push(index + 1);
  }
  return { checkpoints, unreadable };
}

const TORN = '#torn';
const NEWLINE = 0x0a;

export interface CheckpointFile {
  /** Durable when it resolves. @throws the file system's error */
  append(checkpoint: Checkpoint): Promise<void>;
  close(): Promise<void>;
}

/** Opens it, or creates it (mode 0600). A torn last line is marked as such and left: it may be all that is left of a word. */
export async function openCheckpointFile(file: string): Promise<CheckpointFile> {
  await markTorn(file);
  const opened = await openAppendFile(file);
  /** A full disk took only a part of the line before. */
  let isTorn = false;
  return {
    async append(checkpoint) {
      let bytes = Buffer.from(`${isTorn ? `${TORN}\n` : ''}${checkpointLine(checkpoint)}\n`, 'latin1');
      while (bytes.length > 0) {
        const taken = await opened.write(bytes);
        if (taken === 0) throw new Error('The file took no bytes.');
        bytes = bytes.subarray(taken);
        isTorn = bytes.length > 0;
      }
      await opened.sync();
    },
    close: () => opened.close(),
  };
}

async function markTorn(file: string): Promise<void> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    const { size } = await handle.stat();
    if (size === 0) return;
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer[0] !== NEWLINE) await appendFile(file, `${TORN}\n`);
  } finally {
    await handle.close();
  }
}
