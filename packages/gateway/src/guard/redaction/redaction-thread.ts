/**
 * The thread for bodies, from outside: started with the first one, one job at a time, a queue with a bound, and a deadline.
 * A job that exceeds it ends with the thread, and the next one gets another. What was not looked at is withheld.
 */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

import type { EncodedBody } from '../../model/redaction.ts';
import type { BodyJob } from './encode-body.ts';
import type { RedactionRules, ThreadAnswer, ThreadJob } from './redaction-thread.worker.ts';

export type RedactionThreadOptions = {
  readonly rules: RedactionRules;
  /** For one body, from the moment the thread gets it. Default 1,000. */
  readonly deadlineMs?: number;
  /** Bodies that wait; more are withheld. Default 256. */
  readonly maxQueue?: number;
  /** Characters of all that wait, roughly. Default 64 Mi. */
  readonly maxQueueChars?: number;
  /** For the thread to be ready. Default 15,000. */
  readonly startMs?: number;
};

const MAX_HEAP_MB = 256;

const DEFAULTS = { deadlineMs: 1_000, maxQueue: 256, maxQueueChars: 64 * 1_048_576, startMs: 15_000 };

type Waiting = { readonly job: BodyJob; readonly chars: number; readonly settle: (body: EncodedBody) => void };

/** Owns a worker thread. Call `close`; until then an idle thread keeps no process alive. */
export class RedactionThread {
  readonly #options: Required<RedactionThreadOptions>;
  readonly #queue: Waiting[] = [];
  #queuedChars = 0;
  #worker: Worker | undefined;
  #ready = false;
  #closed = false;
  #current: { readonly id: number; readonly waiting: Waiting } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;

  constructor(options: RedactionThreadOptions) {
    this.#options = { ...DEFAULTS, ...options };
    const { deadlineMs, maxQueue, maxQueueChars, startMs } = this.#options;
    for (const bound of [deadlineMs, maxQueue, maxQueueChars, startMs]) {
      if (!(Number.isSafeInteger(bound) && bound > 0))
        throw new RangeError('A bound of the redaction thread must be above 0.');
    }
  }

  /** Never rejects. `chars` is about how large the body is. */
  run(job: BodyJob, chars: number): Promise<EncodedBody> {
    const { promise, resolve } = Promise.withResolvers<EncodedBody>();
    const { maxQueue, maxQueueChars } = this.#options;
    if (this.#closed || this.#queue.length >= maxQueue || this.#queuedChars + chars > maxQueueChars) {
      resolve(OVERLOADED);
      return promise;
    }
    this.#queue.push({ job, chars, settle: resolve });
    this.#queuedChars += chars;
    this.#next();
    return promise;
  }

  /** Ends the thread; what waits is withheld. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#settle(OVERLOADED);
    this.#giveUpAll();
    await worker?.terminate();
  }

  #next(): void {
    if (this.#current !== undefined || this.#closed) return;
    if (this.#queue.length === 0) return this.#worker?.unref();
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    if (!this.#ready) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    this.#queuedChars -= waiting.chars;
    const id = ++this.#lastId;
    this.#current = { id, waiting };
    this.#timer = setTimeout(() => this.#end(worker), this.#options.deadlineMs);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage({ id, ...waiting.job } satisfies ThreadJob);
  }

  #start(): Worker {
    // Built, this file and the thread's end in `.js`; unbuilt, in `.ts`.
    const worker = new Worker(new URL(`./redaction-thread.worker${extname(import.meta.url)}`, import.meta.url), {
      env: {},
      execArgv: [],
      workerData: this.#options.rules,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#ready = false;
    this.#timer = setTimeout(() => this.#end(worker), this.#options.startMs);
    worker.on('message', (message: ThreadAnswer | 'ready') => {
      if (worker !== this.#worker) return;
      if (message === 'ready') {
        this.#ready = true;
        clearTimeout(this.#timer);
      } else this.#answered(message);
      this.#next();
    });
    // Out of memory, most likely: the body is to blame, and the next one gets a new thread.
    worker.on('error', () => this.#end(worker));
    return worker;
  }

  #answered({ id, body }: ThreadAnswer): void {
    if (id === this.#current?.id) this.#settle(body ?? { kind: 'withheld', because: 'unreadable' });
  }

  #end(worker: Worker): void {
    if (worker !== this.#worker) return;
    // A thread that cannot even start will not start for the next one either: no other is tried for those that wait.
    if (!this.#ready) this.#giveUpAll();
    this.#worker = undefined;
    this.#ready = false;
    void worker.terminate();
    this.#settle({ kind: 'withheld', because: 'overrun' });
    clearTimeout(this.#timer);
    this.#next();
  }

  #giveUpAll(): void {
    for (const waiting of this.#queue.splice(0)) waiting.settle(OVERLOADED);
    this.#queuedChars = 0;
  }

  #settle(body: EncodedBody): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    clearTimeout(this.#timer);
    current.waiting.settle(body);
  }
}

const OVERLOADED: EncodedBody = { kind: 'withheld', because: 'overloaded' };
