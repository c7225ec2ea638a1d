/**
 * A thread that can be ended: for schemas and arguments that might take long. One at a time; whatever exceeds its
 * deadline is ended with the thread, and the next job starts another.
 */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

import type { CheckOutcome } from './prepared-schema.ts';
import type { ThreadAnswer, ThreadJob } from './validation-thread.worker.ts';

export type ThreadOptions = {
  /** For one job, from the moment the thread gets it. */
  readonly deadlineMs: number;
  /** For a job to be begun. */
  readonly maxWaitMs: number;
  readonly maxQueue: number;
  /** Of the queue, for one schema: one tool cannot keep the others from being checked. */
  readonly maxQueuePerSchema: number;
};

export type ThreadOutcome = CheckOutcome | { readonly kind: 'overrun' } | { readonly kind: 'overloaded' };

export type ThreadRequest = Pick<ThreadJob, 'key' | 'schema' | 'args'>;

const MAX_HEAP_MB = 128;

type Waiting = {
  readonly request: ThreadRequest;
  readonly settle: (outcome: ThreadOutcome) => void;
  readonly waitTimer: ReturnType<typeof setTimeout>;
};

/** Owns a worker thread, started with the first job. Call `close`; until then an idle thread keeps no process alive. */
export class ValidationThread {
  readonly #options: ThreadOptions;
  readonly #queue: Waiting[] = [];
  #worker: Worker | undefined;
  #ready = false;
  #closed = false;
  #current: { readonly id: number; readonly job: Waiting; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  #lastId = 0;

  constructor(options: ThreadOptions) {
    for (const [name, value] of Object.entries(options)) {
      if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} must be a positive whole number`);
    }
    this.#options = options;
  }

  /** Never rejects: what went wrong is an outcome. */
  run(request: ThreadRequest): Promise<ThreadOutcome> {
    const { promise, resolve } = Promise.withResolvers<ThreadOutcome>();
    const ofSchema = this.#queue.filter((waiting) => waiting.request.key === request.key).length;
    if (this.#closed || this.#queue.length >= this.#options.maxQueue || ofSchema >= this.#options.maxQueuePerSchema) {
      resolve({ kind: 'overloaded' });
      return promise;
    }
    const waiting: Waiting = {
      request,
      settle: resolve,
      waitTimer: setTimeout(() => this.#giveUp(waiting), this.#options.maxWaitMs),
    };
    this.#queue.push(waiting);
    this.#next();
    return promise;
  }

  /** Ends the thread; what waits is answered with `overloaded`. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#finish({ kind: 'overloaded' });
    this.#giveUpAll();
    this.#worker = undefined;
    await worker?.terminate();
  }

  #giveUpAll(): void {
    for (const waiting of this.#queue.splice(0)) {
      clearTimeout(waiting.waitTimer);
      waiting.settle({ kind: 'overloaded' });
    }
  }

  #giveUp(waiting: Waiting): void {
    this.#queue.splice(this.#queue.indexOf(waiting), 1);
    waiting.settle({ kind: 'overloaded' });
  }

  #next(): void {
    if (this.#current !== undefined || this.#closed) return;
    if (this.#queue.length === 0) return this.#worker?.unref();
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    if (!this.#ready) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    clearTimeout(job.waitTimer);
    const id = ++this.#lastId;
    const timer = setTimeout(() => this.#end(worker), this.#options.deadlineMs);
    this.#current = { id, job, timer };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage({ id, ...job.request } satisfies ThreadJob);
  }

  #start(): Worker {
    // Built, this file and the thread's end in `.js`; unbuilt, in `.ts`.
    const worker = new Worker(new URL(`./validation-thread.worker${extname(import.meta.url)}`, import.meta.url), {
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#ready = false;
    worker.on('message', (message: ThreadAnswer | 'ready') => {
      if (worker !== this.#worker) return;
      if (message === 'ready') this.#ready = true;
      else if (message.id === this.#current?.id) this.#finish(message.outcome);
      this.#next();
    });
    // Out of memory, most likely: the job is to blame, and the next one gets a new thread.
    worker.on('error', () => this.#end(worker));
    return worker;
  }

  #end(worker: Worker): void {
    if (worker !== this.#worker) return;
    // A thread that cannot even start will not start for the next job either: no other is tried for those that wait.
    if (!this.#ready) this.#giveUpAll();
    this.#worker = undefined;
    this.#ready = false;
    void worker.terminate();
    this.#finish({ kind: 'overrun' });
    this.#next();
  }

  #finish(outcome: ThreadOutcome): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    clearTimeout(current.timer);
    current.job.settle(outcome);
  }
}
