/**
 * Lines on their way to a file, in order. Ordinary lines are written within `batchMs` and synced with the next sync or
 * within `syncMs`; a line that somebody waits for is written and synced at once, together with everything queued by then:
 * one write and one sync for many (group commit). What cannot be written stays queued and is tried again.
 */

/** An append-only file. A write may take only a part, as the operating system's may. */
export interface AppendFile {
  /** @returns how many bytes were taken */
  write(bytes: Buffer): Promise<number>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export type BatchWriterOptions = {
  readonly file: AppendFile;
  readonly batchMs: number;
  readonly syncMs: number;
  /** One write takes at most this much: making its buffer must not hold up the event loop. */
  readonly maxWriteBytes: number;
  /** Somebody who waits longer than this for a sync is told that it failed. */
  readonly maxWaitMs: number;
  /** Between attempts while the file refuses. */
  readonly retryMs: number;
  /** After every attempt to write or sync: the error, or undefined when all is well. */
  readonly onAttempt: (error: unknown) => void;
};

const CLOSED = 'The audit file was closed before.';

type Waiter = { readonly line: number; readonly sinceMs: number; settle: (error?: Error) => void };

/** The record could not be made durable; it may still be written later. */
export class NotDurableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NotDurableError';
  }
}

export class BatchWriter {
  readonly #options: BatchWriterOptions;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** What is left of a batch that the file took only a part of. Goes first. */
  #partial: Buffer | undefined;
  #partialLines = 0;
  /** That batch, whole. */
  #batch: Buffer | undefined;
  /** Lines ever queued, written, synced. */
  #lines = 0;
  #written = 0;
  #synced = 0;
  /** When the oldest line that is written but not synced was written. */
  #unsyncedSinceMs = 0;
  #waiters: Waiter[] = [];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = 0;
  #immediate: NodeJS.Immediate | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  #error: unknown;
  #closed = false;
  /** Nothing is written any more. */
  #hasEnded = false;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  /** Why the last attempt failed; undefined while the file takes what it is given. */
  get error(): unknown {
    return this.#error;
  }

  get backlogLines(): number {
    return this.#lines - this.#written;
  }

  get backlogBytes(): number {
    return this.#queuedBytes + (this.#partial?.length ?? 0);
  }

  /** What the file has not taken, or taken only in part, in whole lines. */
  unwritten(): readonly Buffer[] {
    return this.#batch === undefined ? [...this.#queue] : [this.#batch, ...this.#queue];
  }

  /** Queues one line, newline included. The bytes belong to the writer from now on. */
  add(line: Buffer): void {
    this.#queue.push(line);
    this.#queuedBytes += line.length;
    this.#lines++;
    // The first line of a batch sets its time. While the file refuses, the retry's own time stands.
    if (this.#queue.length === 1 && this.#running === undefined && this.#error === undefined) {
      this.#wakeIn(this.#options.batchMs);
    }
  }

  /** Settles when every line added so far is on stable storage. @throws NotDurableError */
  durable(): Promise<void> {
    if (this.#hasEnded) return this.#durableAtEnd();
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      this.#waiters.push({ line: this.#lines, sinceMs: performance.now(), settle });
      this.#waitTimer ??= setTimeout(() => this.#giveUp(), this.#options.maxWaitMs);
      // After this turn of the event loop: the calls that arrived with it share the sync.
      if (this.#running === undefined) this.#immediate ??= setImmediate(() => this.#start());
    });
  }

  /** Nothing more is written: whoever asks now is told at once. */
  #durableAtEnd(): Promise<void> {
    if (this.#synced === this.#lines) return Promise.resolve();
    return Promise.reject(new NotDurableError(CLOSED));
  }

  /** Writes and syncs everything once more, then closes. @throws the file's error when lines are left unwritten */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    await this.#running;
    await this.#attempt(true);
    this.#hasEnded = true;
    clearTimeout(this.#waitTimer);
    this.#refuse(this.#waiters.splice(0), new NotDurableError(CLOSED));
    const error = this.#error;
    await this.#options.file.close();
    if (error !== undefined) {
      throw new Error(`${this.backlogLines} audit records could not be written.`, { cause: error });
    }
  }

  /** Wakes the writer then, or earlier if that was already arranged. */
  #wakeIn(delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    if (this.#timer !== undefined && this.#timerDueMs <= dueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(() => this.#start(), delayMs);
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#immediate = undefined;
    if (this.#running !== undefined || this.#closed) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#next();
    });
  }

  /** What remains to be done, and when. */
  #next(): void {
    const { retryMs, batchMs } = this.#options;
    if (this.#closed) return;
    if (this.#error !== undefined) this.#wakeIn(retryMs);
    else if (this.#waiters.length > 0) this.#immediate ??= setImmediate(() => this.#start());
    else if (this.backlogLines > 0) this.#wakeIn(batchMs);
    else if (this.#synced < this.#written) this.#wakeIn(Math.max(1, this.#syncDueMs() - performance.now()));
  }

  #syncDueMs(): number {
    return this.#unsyncedSinceMs + this.#options.syncMs;
  }

  async #run(): Promise<void> {
    do await this.#attempt(this.#waiters.length > 0);
    while (this.#waiters.length > 0 && this.#error === undefined);
  }

  /** Writes what is queued; syncs it where asked, or when that is due. Never throws. */
  async #attempt(sync: boolean): Promise<void> {
    try {
      // What is there now, and no more: lines that arrive with every turn of the event loop would put off the sync for ever.
      const upTo = this.#lines;
      while (this.#written < upTo) await this.#writeBatch();
      const written = this.#written;
      const due = sync || performance.now() >= this.#syncDueMs();
      if (due && this.#synced < written) {
        await this.#options.file.sync();
        this.#synced = written;
      }
      this.#error = undefined;
      this.#settle();
      this.#options.onAttempt(undefined);
    } catch (error) {
      this.#error = error;
      // They are refused now rather than kept waiting; their lines stay queued.
      this.#refuse(this.#waiters.splice(0), new NotDurableError('The audit file cannot be written.', { cause: error }));
      this.#options.onAttempt(error);
    }
  }

  async #writeBatch(): Promise<void> {
    const bytes = this.#partial ?? this.#takeBatch();
    this.#partial = bytes;
    this.#batch ??= bytes;
    const taken = await this.#options.file.write(bytes);
    if (taken === 0) throw new Error('The file took no bytes.');
    if (this.#synced === this.#written) this.#unsyncedSinceMs = performance.now();
    if (taken < bytes.length) {
      this.#partial = bytes.subarray(taken);
      return;
    }
    this.#partial = undefined;
    this.#batch = undefined;
    this.#written += this.#partialLines;
    this.#partialLines = 0;
  }

  #takeBatch(): Buffer {
    let bytes = 0;
    let count = 0;
    for (const line of this.#queue) {
      if (count > 0 && bytes + line.length > this.#options.maxWriteBytes) break;
      bytes += line.length;
      count++;
    }
    const lines = this.#queue.splice(0, count);
    this.#queuedBytes -= bytes;
    this.#partialLines = count;
    return Buffer.concat(lines, bytes);
  }

  #settle(): void {
    let settled = 0;
    for (const waiter of this.#waiters) {
      if (waiter.line > this.#synced) break;
      settled++;
      waiter.settle();
    }
    if (settled === 0) return;
    this.#waiters = this.#waiters.slice(settled);
    this.#armWait();
  }

  #refuse(waiters: readonly Waiter[], error: NotDurableError): void {
    for (const waiter of waiters) waiter.settle(error);
    this.#armWait();
  }

  /** A disk that hangs neither fails nor answers: whoever waits too long is refused. */
  #giveUp(): void {
    this.#waitTimer = undefined;
    const since = performance.now() - this.#options.maxWaitMs;
    const late = this.#waiters.filter((waiter) => waiter.sinceMs <= since);
    this.#waiters = this.#waiters.slice(late.length);
    if (late.length > 0) {
      const error = new NotDurableError(`The audit file did not answer within ${this.#options.maxWaitMs} ms.`);
      this.#error = error;
      this.#options.onAttempt(error);
      this.#refuse(late, error);
      return;
    }
    this.#armWait();
  }

  #armWait(): void {
    const oldest = this.#waiters[0];
    if (oldest === undefined) {
      clearTimeout(this.#waitTimer);
      this.#waitTimer = undefined;
      return;
    }
    const leftMs = oldest.sinceMs + this.#options.maxWaitMs - performance.now();
    this.#waitTimer ??= setTimeout(() => this.#giveUp(), Math.max(1, leftMs));
  }
}
