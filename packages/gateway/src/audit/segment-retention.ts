/**
 * How long old files of the record are kept. Only whole files go, the oldest first, and only where nothing is lost to a
 * proof: a signed checkpoint stands for the end of each, so that what is left can be proved from there, and the record itself
 * says, before it happens, which were deleted.
 */

import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Logger } from '../telemetry/logger.ts';
import { syncFolder } from './append-file.ts';
import type { ChainTail } from './chain.ts';
import { checkpointsPath, readCheckpoints } from './checkpoint-file.ts';
import { checkSignature } from './checkpoint.ts';
import { readEnds } from './file-tail.ts';
import { segmentsOf, type Segment } from './segments.ts';
import type { VerifyingKey } from './signing-key.ts';

export type RetentionRule = {
  /** A file whose newest record is older than this may go. */
  readonly keepMs: number;
  /** Asked last: a sink that has not taken a file yet says no. */
  readonly mayDelete?: (segment: Segment) => boolean | Promise<boolean>;
};

export type RetentionOptions = RetentionRule & {
  readonly path: string;
  readonly key: VerifyingKey;
  readonly now: () => number;
  readonly logger: Logger;
  /** Records durably what is about to be deleted. @throws when it cannot be recorded: then nothing is deleted */
  readonly recordRetired: (retired: Retired) => Promise<void>;
};

export type Retired = { readonly first: number; readonly last: ChainTail; readonly files: number };

/** @returns what was deleted, if anything. @throws the file system's error */
export async function retireSegments(options: RetentionOptions): Promise<Retired | undefined> {
  const due = await dueSegments(options);
  const [oldest] = due;
  const newest = due.at(-1);
  if (oldest === undefined || newest === undefined) return undefined;
  const retired = { first: oldest.first, last: newest.last, files: due.length };
  await options.recordRetired(retired);
  for (const { path } of due) await unlink(path);
  await syncFolder(dirname(options.path));
  options.logger.info(
    { file: options.path, first: retired.first, last: retired.last.sequence, files: retired.files },
    'old files of the audit record were deleted, as audit.keep says; the record can be proved from its next file on',
  );
  return retired;
}

type Due = { readonly path: string; readonly first: number; readonly last: ChainTail };

/** From the oldest on; the first that has to stay keeps all that follow, so that the record has no hole. */
async function dueSegments({ path, key, keepMs, mayDelete, now, logger }: RetentionOptions): Promise<readonly Due[]> {
  const segments = await segmentsOf(path);
  const due: Due[] = [];
  const { checkpoints } = await readCheckpoints(checkpointsPath(path));
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if (segment.first === undefined || next === undefined) break;
    const ends = await readEnds(segment.path);
    if (ends === undefined || now() - ends.last.timeMs < keepMs) break;
    const { sequence, uid, fingerprint } = ends.last;
    // Found by its number first: checking a signature takes a fifth of a millisecond.
    const isSigned = checkpoints.some(
      (one) => one.sequence === sequence && one.fingerprint === fingerprint && checkSignature(one, key) === 'good',
    );
    if (!isSigned) {
      logger.warn({ file: segment.path, sequence }, UNSIGNED);
      break;
    }
    if (mayDelete !== undefined && !(await mayDelete(segment))) break;
    due.push({ path: segment.path, first: ends.first.sequence, last: { sequence, uid, fingerprint } });
  }
  return due;
}

const UNSIGNED =
  'an old file of the audit record is kept longer than audit.keep says: no checkpoint of the present key stands for its end. ' +
  'Prove it with "sallyport audit verify", then move it away by hand';
