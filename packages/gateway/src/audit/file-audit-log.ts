/**
 * The record in one append-only file: JSON lines, hash-chained, one writer. An intent resolves when it is on stable
 * storage; everything else is written within `batchMs` (which survives a kill) and synced within `syncMs` (which survives
 * a power loss). Nothing is dropped: while the file refuses, calls are refused and their records wait in memory, up to a
 * bound; refusals beyond it are counted, and the count is recorded when the file takes records again.
 */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

import type { Intent } from '../model/decision.ts';
import { refuse } from '../model/failure.ts';
import type { ApprovedRequest } from '../model/request.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isReadOnly } from './activity.ts';
import { openAppendFile } from './append-file.ts';
import type { ApprovalLog, ApprovalWord, AuditEvent, AuditLog } from './audit-log.ts';
import { BatchWriter, type AppendFile } from './batch-writer.ts';
import { createChain, type Chain, type ChainTail } from './chain.ts';
import type { EventLog, RecordedEvent } from './event-log.ts';
import { eventRecord } from './event-record.ts';
import { lockFile, type FileLock } from './file-lock.ts';
import { readFileTail, type Repair } from './file-tail.ts';
import { intentSequence, makeIntent } from './intent.ts';
import {
  approvalRecord,
  intentRecord,
  lifecycleRecord,
  outcomeRecord,
  recordContext,
  type LifecycleEvent,
  type Position,
  type RecordContext,
  type RecordText,
} from './record.ts';

export type FileAuditLogOptions = {
  readonly path: string;
  readonly logger: Logger;
  readonly instruments: Pick<Instruments, 'auditBacklog' | 'auditFailed'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Of the product: stands in every record. */
  readonly version: string;
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
  /** How the file is opened; a test's disk can be full or slow. */
  readonly open?: (path: string) => Promise<AppendFile>;
};

export type AuditStatus = {
  readonly state: 'writing' | 'failing';
  readonly backlogRecords: number;
  /** Records that found no place in memory since the file began to refuse. */
  readonly overflowed: number;
  /** Why the file refuses. */
  readonly reason?: string;
};

export interface FileAuditLog extends AuditLog, ApprovalLog, EventLog {
  /** For readiness: a gateway that cannot record is not ready. */
  status(): AuditStatus;
  /** The newest record, to be kept elsewhere: it shows later that nothing before it was cut off. */
  tail(): ChainTail | undefined;
}

const DEFAULTS = {
  batchMs: 10,
  syncMs: 1000,
  maxIntentWaitMs: 5000,
  retryMs: 250,
  maxBacklogRecords: 20_000,
  maxBacklogBytes: 32 * 1_048_576,
};
const MAX_WRITE_BYTES = 1_048_576;

/**
 * Opens the file, or creates it (mode 0600, folders too), repairs a torn end, and records the start durably.
 *
 * @throws LockedError when another gateway writes to it, UnreadableTailError, or the file system's error
 */
export async function createFileAuditLog(options: FileAuditLogOptions): Promise<FileAuditLog> {
  assertOptions(options);
  const open = options.open ?? openAppendFile;
  const file = await open(options.path);
  let lock: FileLock | undefined;
  try {
    lock = await lockFile(options.path);
    const { tail, repair } = await readFileTail(options.path, options.now());
    if (repair !== undefined) reportRepair(options, repair);
    const log = new ChainedFile({ options, file, lock, tail });
    await log.recordStart(tail, repair);
    return log;
  } catch (error) {
    await file.close();
    await lock?.release();
    throw error;
  }
}

function assertOptions({ path, batchMs = DEFAULTS.batchMs, maxBacklogRecords = 1 }: FileAuditLogOptions): void {
  if (path === '') throw new RangeError('audit.file is empty.');
  if (!(batchMs >= 0 && batchMs <= DEFAULTS.batchMs)) throw new RangeError('batchMs must be between 0 and 10.');
  if (!(maxBacklogRecords >= 1)) throw new RangeError('maxBacklogRecords must be at least 1.');
}

function reportRepair({ path, logger }: FileAuditLogOptions, repair: Repair): void {
  logger.warn(
    { file: path, bytes: repair.bytes, keptIn: repair.keptIn },
    `the last record in ${path} was torn, as a crash or power loss leaves it; it was moved to ${repair.keptIn}`,
  );
}

type Parts = {
  readonly options: FileAuditLogOptions;
  readonly file: AppendFile;
  readonly lock: FileLock;
  readonly tail: ChainTail | undefined;
};

class ChainedFile implements FileAuditLog {
  readonly #options: FileAuditLogOptions;
  readonly #lock: FileLock;
  readonly #chain: Chain;
  readonly #writer: BatchWriter;
  readonly #context: RecordContext;
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  #overflowed = 0;
  #failing = false;
  #closed: Promise<void> | undefined;

  constructor({ options, file, lock, tail }: Parts) {
    this.#options = options;
    this.#lock = lock;
    this.#context = recordContext(options.version);
    this.#maxRecords = options.maxBacklogRecords ?? DEFAULTS.maxBacklogRecords;
    this.#maxBytes = options.maxBacklogBytes ?? DEFAULTS.maxBacklogBytes;
    this.#chain = createChain({
      chainUid: randomBytes(8).toString('hex'),
      authority: options.authority ?? hostname(),
      previous: tail,
    });
    this.#writer = new BatchWriter({
      file,
      batchMs: options.batchMs ?? DEFAULTS.batchMs,
      syncMs: options.syncMs ?? DEFAULTS.syncMs,
      maxWaitMs: options.maxIntentWaitMs ?? DEFAULTS.maxIntentWaitMs,
      retryMs: options.retryMs ?? DEFAULTS.retryMs,
      maxWriteBytes: MAX_WRITE_BYTES,
      onAttempt: (error) => this.#attempted(error),
    });
  }

  async recordStart(previous: ChainTail | undefined, repair: Repair | undefined): Promise<void> {
    this.#lifecycle('opened', {
      host: hostname(),
      pid: process.pid,
      ...(previous && { continues: previous.sequence }),
      ...(repair && { repaired_bytes: repair.bytes, kept_in: repair.keptIn }),
    });
    await this.#writer.durable();
  }

  intend(request: ApprovedRequest): Intent | Promise<Intent> {
    this.#assertWritable();
    const { permit } = request;
    if (isReadOnly(permit.operation, permit.target.entries[0])) return makeIntent(permit);
    const { line, sequence } = this.#chain.append((at) => intentRecord(request, at, this.#context));
    this.#writer.add(line);
    return this.#writer.durable().then(
      () => makeIntent(permit, sequence),
      (cause: unknown) => {
        throw refuse('record-unavailable', { cause });
      },
    );
  }

  sequenceOf(intent: Intent): number | undefined {
    return intentSequence(intent);
  }

  append(event: AuditEvent): void {
    if (this.#closed !== undefined) {
      const { request, outcome } = event;
      this.#options.logger.error({ requestId: request.id, outcome }, 'a call ended after the audit file was closed');
      return;
    }
    // What was refused because of a full backlog must not fill it further; what ran is kept, as far as memory allows.
    const share = event.outcome === 'refused' || event.failure?.code === 'record-unavailable' ? 1 : 2;
    this.#queue(share, (at) => outcomeRecord(event, at, this.#context));
  }

  said(word: ApprovalWord): void {
    if (this.#closed !== undefined) {
      const { id } = word.approval;
      this.#options.logger.error({ approval: id }, 'an approval was decided after the audit file was closed');
      return;
    }
    this.#queue(word.fault === undefined ? 2 : 1, (at) => approvalRecord(word, at, this.#context));
  }

  note(recorded: RecordedEvent): boolean {
    if (this.#closed !== undefined) {
      this.#options.logger.error({ event: recorded.event.kind }, 'something happened after the audit file was closed');
      return false;
    }
    const refused = recorded.event.kind === 'refused-early' || 'failure' in recorded.event;
    return this.#queue(refused ? 1 : 2, (at) => eventRecord(recorded, at, this.#context));
  }

  durable(): Promise<void> {
    return this.#writer.durable();
  }

  #queue(share: number, text: (at: Position) => RecordText): boolean {
    if (this.#isFull(share)) {
      if (this.#overflowed++ === 0) this.#options.logger.error({ file: this.#options.path }, OVERFLOW);
      return false;
    }
    this.#recordOverflow();
    this.#writer.add(this.#chain.append(text).line);
    return true;
  }

  status(): AuditStatus {
    const { error } = this.#writer;
    return {
      state: this.#failing ? 'failing' : 'writing',
      backlogRecords: this.#writer.backlogLines,
      overflowed: this.#overflowed,
      ...(error instanceof Error && { reason: error.message }),
    };
  }

  tail(): ChainTail | undefined {
    return this.#chain.tail();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#recordOverflow();
    this.#lifecycle('closed', { host: hostname(), pid: process.pid });
    try {
      await this.#writer.close();
    } finally {
      await this.#lock.release();
    }
  }

  #lifecycle(event: LifecycleEvent['event'], facts: LifecycleEvent['facts']): void {
    const timeMs = this.#options.now();
    this.#writer.add(this.#chain.append((at) => lifecycleRecord({ event, timeMs, facts }, at, this.#context)).line);
  }

  #isFull(share: number): boolean {
    return this.#writer.backlogLines >= this.#maxRecords * share || this.#writer.backlogBytes >= this.#maxBytes * share;
  }

  #assertWritable(): void {
    if (this.#closed !== undefined) throw refuse('draining');
    if (this.#failing || this.#isFull(1)) throw refuse('record-unavailable', { cause: this.#writer.error });
  }

  #recordOverflow(): void {
    if (this.#overflowed === 0) return;
    this.#lifecycle('overflow', { records: this.#overflowed });
    this.#overflowed = 0;
  }

  #attempted(error: unknown): void {
    const { logger, instruments, path } = this.#options;
    const backlogRecords = this.#writer.backlogLines;
    instruments.auditBacklog(backlogRecords);
    if (error !== undefined) {
      instruments.auditFailed();
      // Once per outage, not once per attempt.
      if (!this.#failing) logger.error({ file: path, backlogRecords, err: error }, FAILING);
      this.#failing = true;
      return;
    }
    if (!this.#failing) return;
    this.#failing = false;
    logger.warn({ file: path, overflowed: this.#overflowed }, RECOVERED);
    this.#recordOverflow();
  }
}

const FAILING =
  'the audit file cannot be written: calls are refused until it can be. Check the disk (df, permissions); writing is tried again by itself';
const RECOVERED = 'the audit file takes records again: calls are no longer refused';
const OVERFLOW = 'the audit backlog is full: further refusals are counted instead of recorded one by one';
