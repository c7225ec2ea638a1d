/**
 * The record in append-only files: JSON lines, hash-chained, one writer. An intent resolves when it is on stable storage;
 * everything else is written within `batchMs` (which survives a kill) and synced within `syncMs` (which survives a power
 * loss). This is the port; `open-record.ts` finds where the chain goes on, and `chained-file.ts` writes.
 */

import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

import type { Redactor } from '../model/redaction.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import { auditFiles, type AuditFiles } from './append-file.ts';
import type { ApprovalLog, AuditLog } from './audit-log.ts';
import type { BodiesLog } from './bodies.ts';
import type { ChainTail } from './chain.ts';
import { ChainedFile } from './chained-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { createCheckpointer, type CheckpointOptions } from './checkpointer.ts';
import { DEFAULTS } from './defaults.ts';
import type { EventLog } from './event-log.ts';
import { openRecord } from './open-record.ts';
import type { RotateRule } from './rotating-file.ts';
import type { RetentionRule } from './segment-retention.ts';

export type FileAuditLogOptions = {
  readonly path: string;
  readonly logger: Logger;
  readonly instruments: Pick<Instruments, 'auditBacklog' | 'auditFailed' | 'auditFailing'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Of the product: stands in every record. */
  readonly version: string;
  /** For other people's words: a purpose, an error, a line of stderr. Without it, they are withheld. */
  readonly redactText?: Redactor['text'];
  /** Who attests: the replica's name. */
  readonly authority?: string;
  /** At most 10: a kill loses no more than this of read-only calls. */
  readonly batchMs?: number;
  readonly syncMs?: number;
  /** An intent that is not durable by then is refused. */
  readonly maxIntentWaitMs?: number;
  readonly retryMs?: number;
  /** New calls are refused beyond these. Outcomes of calls in flight may use as much again. */
  readonly maxBacklogRecords?: number;
  readonly maxBacklogBytes?: number;
  /** When a file becomes a segment. Absent: never. */
  readonly rotate?: RotateRule;
  /** Signed checkpoints. Absent: none, and no segment is ever deleted. */
  readonly checkpoints?: CheckpointOptions;
  /** When segments are deleted. Absent: never. */
  readonly retention?: RetentionRule;
  /** A file on another disk for what waits while the record's own refuses. */
  readonly spool?: string;
  /** How a file is opened; a test's disk can be full or slow. */
  readonly open?: AuditFiles['open'];
  /** The same for names. */
  readonly files?: AuditFiles;
};

export type AuditStatus = {
  readonly state: 'writing' | 'failing';
  readonly backlogRecords: number;
  /** Records that found no place in memory since the file began to refuse. */
  readonly overflowed: number;
  /** Why the file refuses. */
  readonly reason?: string;
};

export interface FileAuditLog extends AuditLog, ApprovalLog, EventLog, BodiesLog {
  /** For readiness: a gateway that cannot record is not ready. */
  status(): AuditStatus;
  /** The newest record. */
  tail(): ChainTail | undefined;
  /** The newest signed word about it, to be kept elsewhere. */
  checkpoint(): Checkpoint | undefined;
}

const CLOSE_WAIT_MS = 1000;

/**
 * Opens the record, or creates it (mode 0600, folders too), repairs a torn end, takes in what a spool kept, and records the
 * start durably.
 *
 * @throws LockedError when another gateway writes to it, UnreadableTailError, or the file system's error
 */
export async function createFileAuditLog(options: FileAuditLogOptions): Promise<FileAuditLog> {
  assertOptions(options);
  const { open, files = auditFiles } = options;
  const opened = await openRecord({ ...options, files: open === undefined ? files : { ...files, open } });
  const log = new ChainedFile(options, opened);
  try {
    await log.recordStart(opened.facts);
    if (options.checkpoints !== undefined) {
      const { path, logger, now, authority = hostname() } = options;
      const durableTail = (): Promise<ChainTail | undefined> => log.durableTail();
      const checkpointer = await createCheckpointer({
        ...options.checkpoints,
        path,
        logger,
        now,
        authority,
        durableTail,
      });
      log.watch(checkpointer, opened.segmentEnd);
    }
    return log;
  } catch (error) {
    // Why it could not start is the better news than that it could not be closed either. A disk may hang in both.
    await Promise.race([log.close().catch(() => undefined), pause(CLOSE_WAIT_MS, undefined, { ref: false })]);
    throw error;
  }
}

function assertOptions({ path, batchMs = DEFAULTS.batchMs, maxBacklogRecords = 1, spool }: FileAuditLogOptions): void {
  if (path === '') throw new RangeError('audit.file is empty.');
  if (spool === path) throw new RangeError('audit.spool is the audit file itself. Name a file on another disk.');
  if (!(batchMs >= 0 && batchMs <= DEFAULTS.batchMs)) throw new RangeError('batchMs must be between 0 and 10.');
  if (!(maxBacklogRecords >= 1)) throw new RangeError('maxBacklogRecords must be at least 1.');
}
