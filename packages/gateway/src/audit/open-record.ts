/**
 * Where the chain of a record goes on, whatever ended the writer before: a torn end is moved aside, a rotation that was cut
 * in the middle is continued from, and what a spool kept while the disk refused is taken in.
 */

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Logger } from '../telemetry/logger.ts';
import type { AuditFiles } from './append-file.ts';
import type { AppendFile } from './batch-writer.ts';
import { readLine, type ChainTail } from './chain.ts';
import { lockFile, type FileLock } from './file-lock.ts';
import { readEnds, readFileTail, readFirstLine, type Repair } from './file-tail.ts';
import type { LifecycleEvent } from './lifecycle-record.ts';
import type { OpenedFile } from './rotating-file.ts';
import { segmentsOf, type Segment } from './segments.ts';
import { putAway, readSpool, type TakenIn } from './spool.ts';

export type OpenRecordOptions = {
  readonly path: string;
  readonly files: AuditFiles;
  readonly logger: Logger;
  readonly now: () => number;
  readonly spool?: string;
};

export type OpenedRecord = OpenedFile & {
  readonly files: AuditFiles;
  /** The newest record: what the next one continues. */
  readonly tail: ChainTail | undefined;
  /** Where the newest segment ends; undefined when there is none. */
  readonly segmentEnd: ChainTail | undefined;
  /** What the record is to say of its start. */
  readonly facts: LifecycleEvent['facts'];
  /** Gives the locks back. */
  release(): Promise<void>;
};

/** @throws LockedError, UnreadableTailError, or the file system's error */
export async function openRecord(options: OpenRecordOptions): Promise<OpenedRecord> {
  const { path, files, spool } = options;
  const file = await files.open(path);
  const locks: FileLock[] = [];
  const release = async (): Promise<void> => {
    for (const lock of locks.splice(0)) await lock.release();
  };
  try {
    locks.push(await lockFile(path));
    if (spool !== undefined) {
      await mkdir(dirname(spool), { recursive: true, mode: 0o700 });
      locks.push(await lockFile(spool));
    }
    return { ...(await findEnd(options, file)), release };
  } catch (error) {
    await file.close();
    await release();
    throw error;
  }
}

async function findEnd(options: OpenRecordOptions, file: AppendFile): Promise<Omit<OpenedRecord, 'release'>> {
  const { path, files, now, logger } = options;
  const active = await readFileTail(path, now());
  if (active.repair !== undefined) reportRepair(logger, path, active.repair);
  const segments = (await segmentsOf(path)).filter(({ first }) => first !== undefined);
  const before = active.tail === undefined ? await segmentTail(segments, options) : undefined;
  const repair = active.repair ?? before?.repair;
  const tail = active.tail ?? before?.tail;
  const taken = await takeIn(options, file, tail);
  const found = await files.look(path);
  const first = await readFirstLine(path);
  const last = taken?.last ?? active.line;
  const segmentEnd = await endOf(segments);
  if (first !== undefined) reportGap(options, first, segmentEnd);
  return {
    file,
    files,
    id: found?.id ?? '',
    bytes: found?.bytes ?? 0,
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
    tail: taken?.tail ?? tail,
    segmentEnd,
    facts: {
      ...(tail !== undefined && { continues: tail.sequence }),
      ...(repair && { repaired_bytes: repair.bytes, kept_in: repair.keptIn }),
      ...(taken && { spooled_records: taken.records }),
      ...(taken?.strayIn !== undefined && { stray_spool_in: taken.strayIn }),
    },
  };
}

/** A rotation that was cut leaves an empty newest file, or none: the chain goes on from the segment before it. */
async function segmentTail(
  segments: readonly Segment[],
  { now, logger }: OpenRecordOptions,
): Promise<{ tail: ChainTail; repair: Repair | undefined } | undefined> {
  for (const { path } of segments.toReversed()) {
    const { tail, repair } = await readFileTail(path, now());
    if (repair !== undefined) reportRepair(logger, path, repair);
    if (tail !== undefined) return { tail, repair };
  }
  return undefined;
}

async function endOf(segments: readonly Segment[]): Promise<ChainTail | undefined> {
  const newest = segments.at(-1);
  const ends = newest === undefined ? undefined : await readEnds(newest.path);
  if (ends === undefined) return undefined;
  const { sequence, uid, fingerprint } = ends.last;
  return { sequence, uid, fingerprint };
}

type Taken = Pick<TakenIn, 'tail' | 'records'> & {
  readonly last: string | undefined;
  readonly strayIn: string | undefined;
};

/** What the spool kept goes behind the file's newest record, durably, before the spool is removed. */
async function takeIn(
  { spool, logger, now, path }: OpenRecordOptions,
  file: AppendFile,
  tail: ChainTail | undefined,
): Promise<Taken | undefined> {
  const kept = spool === undefined ? undefined : await readSpool(spool, tail);
  if (spool === undefined || kept === undefined) return undefined;
  for (let rest = kept.bytes; rest.length > 0;) rest = rest.subarray(await file.write(rest));
  await file.sync();
  const strayIn = await putAway(spool, kept, now());
  logger.warn(
    { file: path, spool, records: kept.records },
    'records that waited in the spool were taken into the record',
  );
  if (strayIn !== undefined) logger.error({ file: path, strayIn, bytes: kept.strayBytes }, STRAY);
  const { records } = kept;
  const last = records === 0 ? undefined : lastLine(kept.bytes);
  return { records, tail: kept.tail, last, strayIn };
}

function lastLine(bytes: Buffer): string {
  const before = bytes.lastIndexOf('\n', bytes.length - 2);
  return bytes.toString('latin1', before + 1, bytes.length - 1);
}

function reportRepair(logger: Logger, path: string, repair: Repair): void {
  logger.warn(
    { file: path, bytes: repair.bytes, keptIn: repair.keptIn },
    `the last record in ${path} was torn, as a crash or power loss leaves it; it was moved to ${repair.keptIn}`,
  );
}

/** Nothing is refused because of it, because nothing is lost by writing on; but somebody has to know. */
function reportGap({ path, logger }: OpenRecordOptions, first: string, end: ChainTail | undefined): void {
  const record = readLine(first);
  if (record === undefined || end === undefined || record.previous === end.fingerprint) return;
  logger.error(
    { file: path, before: end.sequence, first: record.sequence },
    'the files of the audit record do not follow one another: one is gone, or was exchanged. Type: sallyport audit verify',
  );
}

const STRAY =
  'a part of the spool does not follow the record and was moved aside: it is damaged, or the end of the record was lost. Look at it before anything else';
