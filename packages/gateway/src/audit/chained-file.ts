/**
 * The writer of the record. Nothing is dropped: while the file refuses, whatever needs a durable intent or is of high risk is
 * refused, reads go on, and their records wait in memory (and in the spool, where there is one), up to a bound; beyond it
 * everything is refused, refusals are counted, and the count is recorded when the file takes records again.
 */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

import type { Intent } from '../model/decision.ts';
import { refuse } from '../model/failure.ts';
import type { ApprovedRequest } from '../model/request.ts';
import { isReadOnly } from './activity.ts';
import { approvalRecord } from './approval-record.ts';
import type { ApprovalWord, AuditEvent } from './audit-log.ts';
import type { BodiesWord } from './bodies.ts';
import { bodiesRecord } from './bodies-record.ts';
import { BatchWriter } from './batch-writer.ts';
import { createChain, type Chain, type ChainTail } from './chain.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Checkpointer } from './checkpointer.ts';
import { DEFAULTS } from './defaults.ts';
import type { RecordedEvent } from './event-log.ts';
import { eventRecord } from './event-record.ts';
import type { AuditStatus, FileAuditLog, FileAuditLogOptions } from './file-audit-log.ts';
import { intentSequence, makeIntent } from './intent.ts';
import { lifecycleRecord, type LifecycleEvent } from './lifecycle-record.ts';
import type { OpenedRecord } from './open-record.ts';
import {
  intentRecord,
  outcomeRecord,
  recordContext,
  type Position,
  type RecordContext,
  type RecordText,
} from './record.ts';
import { RotatingFile, type FileTrouble } from './rotating-file.ts';
import { createSegmentKeeper, type SegmentKeeper } from './segment-keeper.ts';
import { createSpool, type Spool } from './spool.ts';
import { reportTrouble } from './trouble.ts';

const MAX_WRITE_BYTES = 1_048_576;

export class ChainedFile implements FileAuditLog {
  readonly #options: FileAuditLogOptions;
  readonly #opened: OpenedRecord;
  readonly #chain: Chain;
  readonly #writer: BatchWriter;
  readonly #spool: Spool | undefined;
  readonly #context: RecordContext;
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  #checkpointer: Checkpointer | undefined;
  #keeper: SegmentKeeper | undefined;
  #overflowed = 0;
  #failing = false;
  #closed: Promise<void> | undefined;

  constructor(options: FileAuditLogOptions, opened: OpenedRecord) {
    this.#options = options;
    this.#opened = opened;
    this.#context = recordContext(options.version, options.redactText);
    this.#maxRecords = options.maxBacklogRecords ?? DEFAULTS.maxBacklogRecords;
    this.#maxBytes = options.maxBacklogBytes ?? DEFAULTS.maxBacklogBytes;
    this.#chain = createChain({
      chainUid: randomBytes(8).toString('hex'),
      authority: options.authority ?? hostname(),
      previous: opened.tail,
    });
    const batchMs = options.batchMs ?? DEFAULTS.batchMs;
    this.#writer = new BatchWriter({
      file: new RotatingFile(opened, {
        path: options.path,
        files: opened.files,
        now: options.now,
        rule: options.rotate ?? { maxBytes: Infinity, maxAgeMs: Infinity },
        onRotated: (segment) => {
          this.#checkpointer?.sealed(segment.last);
          this.#keeper?.look();
        },
        onTrouble: (trouble) => this.#troubled(trouble),
      }),
      batchMs,
      syncMs: options.syncMs ?? DEFAULTS.syncMs,
      maxWaitMs: options.maxIntentWaitMs ?? DEFAULTS.maxIntentWaitMs,
      retryMs: options.retryMs ?? DEFAULTS.retryMs,
      maxWriteBytes: MAX_WRITE_BYTES,
      onAttempt: (error) => this.#attempted(error),
    });
    const { spool, logger } = options;
    if (spool !== undefined) {
      const onFailure = (err: unknown): void => logger.error({ file: spool, err }, SPOOL_FAILING);
      this.#spool = createSpool({ path: spool, files: opened.files, batchMs, onFailure });
    }
  }

  async recordStart(facts: LifecycleEvent['facts']): Promise<void> {
    this.#lifecycle('opened', { host: hostname(), pid: process.pid, ...facts });
    await this.#writer.durable();
  }

  /** Checkpoints from now on; `segmentEnd` is one that a crash in a rotation may have left without its own. */
  watch(checkpointer: Checkpointer, segmentEnd: ChainTail | undefined): void {
    this.#checkpointer = checkpointer;
    checkpointer.reached(this.#chain.tail()?.sequence ?? 0);
    if (segmentEnd !== undefined) checkpointer.sealed(segmentEnd);
    const { retention, checkpoints, path, now, logger } = this.#options;
    if (retention === undefined || checkpoints === undefined) return;
    this.#keeper = createSegmentKeeper({
      ...retention,
      key: checkpoints.key,
      path,
      now,
      logger,
      recordRetired: async ({ first, last, files }) => {
        const { sequence, fingerprint } = last;
        this.#lifecycle('retired', { first_sequence: first, last_sequence: sequence, fingerprint, files });
        await this.#writer.durable();
      },
    });
  }

  async durableTail(): Promise<ChainTail | undefined> {
    const tail = this.#chain.tail();
    await this.#writer.durable();
    return tail;
  }

  intend(request: ApprovedRequest): Intent | Promise<Intent> {
    const { permit } = request;
    const [entry] = permit.target.entries;
    const readOnly = isReadOnly(permit.operation, entry);
    this.#assertTakes(readOnly && entry?.traits.risk !== 'high');
    if (readOnly) return makeIntent(permit);
    const sequence = this.#add((at) => intentRecord(request, at, this.#context));
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

  kept(word: BodiesWord): void {
    if (this.#closed !== undefined) {
      this.#options.logger.error({ requestId: word.requestId }, 'bodies were stored after the audit file was closed');
      return;
    }
    this.#queue(2, (at) => bodiesRecord(word, at, this.#context));
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

  checkpoint(): Checkpoint | undefined {
    return this.#checkpointer?.newest();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#keeper?.close();
    this.#recordOverflow();
    this.#lifecycle('closed', { host: hostname(), pid: process.pid });
    let end: ChainTail | undefined;
    try {
      await this.#writer.close();
      end = this.#chain.tail();
      this.#spool?.end();
    } finally {
      await this.#checkpointer?.close(end);
      await this.#spool?.close();
      await this.#opened.release();
    }
  }

  #queue(share: number, text: (at: Position) => RecordText): boolean {
    if (this.#isFull(share)) {
      if (this.#overflowed++ === 0) this.#options.logger.error({ file: this.#options.path }, OVERFLOW);
      return false;
    }
    this.#recordOverflow();
    this.#add(text);
    return true;
  }

  #lifecycle(event: LifecycleEvent['event'], facts: LifecycleEvent['facts']): void {
    const timeMs = this.#options.now();
    this.#add((at) => lifecycleRecord({ event, timeMs, facts }, at, this.#context));
  }

  #add(text: (at: Position) => RecordText): number {
    const { line, sequence } = this.#chain.append(text);
    this.#writer.add(line);
    this.#spool?.add(line);
    this.#checkpointer?.reached(sequence);
    return sequence;
  }

  #isFull(share: number): boolean {
    return this.#writer.backlogLines >= this.#maxRecords * share || this.#writer.backlogBytes >= this.#maxBytes * share;
  }

  /** `bearable`: it reads and is not of high risk, so that its record may wait for the file, within the bound. */
  #assertTakes(bearable: boolean): void {
    if (this.#closed !== undefined) throw refuse('draining');
    const waits = bearable && this.#spool?.error === undefined;
    if (this.#isFull(1) || (this.#failing && !waits)) {
      throw refuse('record-unavailable', { cause: this.#writer.error });
    }
  }

  #recordOverflow(): void {
    if (this.#overflowed === 0) return;
    const records = this.#overflowed;
    this.#overflowed = 0;
    this.#lifecycle('overflow', { records });
  }

  #attempted(error: unknown): void {
    const { logger, instruments, path } = this.#options;
    const backlogRecords = this.#writer.backlogLines;
    instruments.auditBacklog(backlogRecords);
    if (error !== undefined) {
      instruments.auditFailed();
      if (this.#failing) return;
      // Once per outage, not once per attempt.
      this.#failing = true;
      instruments.auditFailing(true);
      logger.error({ file: path, backlogRecords, err: error }, FAILING);
      this.#spool?.begin(this.#writer.unwritten());
      return;
    }
    if (!this.#failing) return;
    this.#failing = false;
    instruments.auditFailing(false);
    logger.warn({ file: path, overflowed: this.#overflowed }, RECOVERED);
    this.#recordOverflow();
    void this.#endSpool();
  }

  /** Removed when the file has everything on stable storage, and not before. */
  async #endSpool(): Promise<void> {
    if (this.#spool === undefined || this.#closed !== undefined) return;
    try {
      await this.#writer.durable();
    } catch {
      return;
    }
    if (!this.#failing) this.#spool.end();
  }

  #troubled(trouble: FileTrouble): void {
    const { logger, path } = this.#options;
    reportTrouble(logger, path, trouble);
    if (trouble.kind === 'not-rotated' || this.#closed !== undefined) return;
    const { first, last, kind } = trouble;
    this.#lifecycle('replaced', {
      how: kind,
      ...(first !== undefined && { first_sequence: first }),
      ...(last !== undefined && { last_sequence: last.sequence, fingerprint: last.fingerprint }),
    });
  }
}

const FAILING =
  'the audit file cannot be written: calls that change something or are of high risk are refused until it can be, reads go on while there is room for their records. Check the disk (df, permissions); writing is tried again by itself';
const RECOVERED = 'the audit file takes records again: calls are no longer refused';
const OVERFLOW = 'the audit backlog is full: further refusals are counted instead of recorded one by one';
const SPOOL_FAILING =
  'the audit spool cannot be written either: reads are refused as well. Check its disk (audit.spool); writing is tried again by itself';
