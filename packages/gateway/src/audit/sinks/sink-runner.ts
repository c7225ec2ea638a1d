/**
 * Carries the record to one sink: batch after batch, each tried until it is taken, with growing pauses. One line in the log
 * when it stops working and one when it works again, however many attempts lie between.
 */

import { setTimeout as pause } from 'node:timers/promises';

import type { Instruments } from '../../telemetry/instruments.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { DeliveryError, type AuditSink } from './audit-sink.ts';
import { Follower, type Trouble } from './follower.ts';
import type { SinkPosition } from './sink-position.ts';
import type { SyncedMark } from './synced-mark.ts';

export type SinkRunnerOptions = {
  readonly sink: AuditSink;
  /** The audit file. */
  readonly path: string;
  readonly mark: SyncedMark;
  /** The number of the newest record there is. */
  readonly newest: () => number;
  readonly instruments: Pick<Instruments, 'auditSink' | 'auditSinkFailed' | 'auditSinkMissed'>;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 to 1: spreads the attempts of many gateways. */
  readonly random: () => number;
  /** The first pause after a failure; each further one is up to twice as long. Default 500. */
  readonly minPauseMs?: number;
  /** The longest. Default 30,000. */
  readonly maxPauseMs?: number;
};

export type SinkStatus = {
  readonly name: string;
  /** `failing`: the newest attempt did not work; `behind`: it works and has more to do; `current`: it has everything. */
  readonly state: 'starting' | 'current' | 'behind' | 'failing';
  readonly sinceMs: number;
  readonly reason?: string;
  /** The newest record that it has. */
  readonly sequence: number;
  readonly lagRecords: number;
  readonly lagSeconds: number;
  /** Records that were gone from the files before it could have them. */
  readonly missed: number;
};

/** A sink that asks for more is asked again all the same. */
const MAX_RETRY_AFTER_MS = 300_000;
const POLL_AT_END_MS = 20;

export class SinkRunner {
  readonly #options: SinkRunnerOptions;
  readonly #ended = new AbortController();
  #running: Promise<void> | undefined;
  #position: SinkPosition | undefined;
  /** When the oldest record was made that it does not have yet; undefined when it waits for one. */
  #waitingSinceMs: number | undefined;
  #failure: string | undefined;
  #state: SinkStatus['state'] = 'starting';
  #sinceMs: number;

  constructor(options: SinkRunnerOptions) {
    this.#options = options;
    this.#sinceMs = options.now();
    options.instruments.auditSink(options.sink.name, () => this.status());
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Of the newest record that the sink has taken durably; undefined when it has none, or that is not known yet. */
  get position(): SinkPosition | undefined {
    return this.#position;
  }

  status(): SinkStatus {
    const { sink, newest, now } = this.#options;
    const sequence = this.#position?.sequence ?? 0;
    const lagRecords = Math.max(0, newest() - sequence);
    const waitingMs = this.#waitingSinceMs === undefined ? 0 : Math.max(0, now() - this.#waitingSinceMs);
    this.#note(this.#failure === undefined ? this.#stateNow(lagRecords) : 'failing');
    return {
      name: sink.name,
      state: this.#state,
      sinceMs: this.#sinceMs,
      ...(this.#failure !== undefined && { reason: this.#failure }),
      sequence,
      lagRecords,
      lagSeconds: lagRecords === 0 ? 0 : waitingMs / 1000,
      missed: this.#position?.missed ?? 0,
    };
  }

  /** Gives a sink that works so much time for what is left, then ends. What it does not have by then, it gets next time. */
  async close(graceMs: number): Promise<void> {
    const untilMs = performance.now() + graceMs;
    while (this.#running !== undefined && performance.now() < untilMs) {
      if (this.#failure !== undefined || this.#options.newest() <= (this.#position?.sequence ?? 0)) break;
      await pause(POLL_AT_END_MS);
    }
    this.#ended.abort(new Error('the gateway ends'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { sink, path, mark } = this.#options;
    const { signal } = this.#ended;
    let follower: Follower | undefined;
    try {
      const position = await this.#untilDone(() => sink.position());
      this.#position = position;
      follower = new Follower({ path, mark, position, onTrouble: (trouble) => this.#troubled(trouble) });
      const following = follower;
      for (;;) {
        this.#waitingSinceMs = undefined;
        const batch = await this.#untilDone(() => following.next(sink.limits, signal));
        this.#waitingSinceMs = batch.records[0]?.timeMs;
        await this.#untilDone(() => sink.take(batch, signal));
        this.#position = batch.records.at(-1)?.position;
      }
    } catch (error) {
      // A fault of ours. The record itself is untouched, and calls go on.
      if (!signal.aborted) this.#failed(error);
    } finally {
      await follower?.close().catch(() => undefined);
    }
  }

  /** Tries until it works. @throws only when it ends */
  async #untilDone<T>(work: () => Promise<T>): Promise<T> {
    const { minPauseMs = 500, maxPauseMs = 30_000, random } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = await work();
        this.#worked();
        return result;
      } catch (error) {
        this.#ended.signal.throwIfAborted();
        this.#failed(error);
        const longest = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(attempt, 20));
        const wanted = error instanceof DeliveryError ? error.retryAfterMs : undefined;
        // At least half of it: without jitter, all gateways would come back at the same moment.
        const delayMs = Math.max(longest * (0.5 + 0.5 * random()), Math.min(wanted ?? 0, MAX_RETRY_AFTER_MS));
        await pause(delayMs, undefined, { signal: this.#ended.signal });
      }
    }
  }

  #worked(): void {
    if (this.#failure === undefined) return;
    const { logger, sink } = this.#options;
    this.#failure = undefined;
    logger.info({ sink: sink.name, lagRecords: this.status().lagRecords }, RECOVERED);
  }

  #failed(error: unknown): void {
    const { logger, sink, instruments } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    instruments.auditSinkFailed(sink.name);
    const isNew = this.#failure === undefined;
    this.#failure = reason;
    if (isNew) logger.warn({ sink: sink.name, reason, lagRecords: this.status().lagRecords }, FAILING);
  }

  #troubled(trouble: Trouble): void {
    const { logger, sink, path, instruments } = this.#options;
    switch (trouble.kind) {
      case 'gap':
        instruments.auditSinkMissed(sink.name, trouble.missed);
        return logger.error({ sink: sink.name, after: trouble.after, missed: trouble.missed, file: path }, GAP);
      case 'fork':
        return logger.error({ sink: sink.name, sequence: trouble.at.sequence, uid: trouble.at.uid, file: path }, FORK);
      case 'damage':
        instruments.auditSinkMissed(sink.name, 1);
        return logger.error({ sink: sink.name, file: trouble.file, bytes: trouble.bytes }, DAMAGE);
    }
  }

  #stateNow(lagRecords: number): SinkStatus['state'] {
    if (this.#position === undefined && this.#state === 'starting') return 'starting';
    return lagRecords > this.#options.sink.limits.maxRecords ? 'behind' : 'current';
  }

  #note(state: SinkStatus['state']): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = this.#options.now();
  }
}

const FAILING =
  'a sink of the audit record does not take records: they wait in the audit file, and it is tried again by itself. Look at "sallyport status", and at the sink';
const RECOVERED = 'a sink of the audit record takes records again, from where it was';
const GAP =
  'records were gone from the audit files before this sink could have them: they are missing there for good. Keep the files longer (audit.keep), or mend the sink sooner';
const FORK =
  'the audit files are not those that this sink followed: they were replaced. It is given everything that is there, from the oldest record on';
const DAMAGE = 'a line of the audit file is no record, and this sink was not given it. Type: sallyport audit verify';
