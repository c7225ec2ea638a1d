/** An index in SQLite, in a thread of its own. One that does not answer in time is ended, and the next call starts another. */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

import type { AuditIndex } from '../audit/sinks/audit-index.ts';
import type { IndexJob, ThreadAnswer, ThreadRequest } from './index-thread.worker.ts';

export type IndexThread = AuditIndex & { close(): Promise<void> };

/** For one call; a search through years of records ends here. */
const ANSWER_MS = 30_000;
const CLOSE_MS = 2_000;
/** Calls at once; more are refused. */
const MAX_WAITING = 64;

type Waiting = {
  readonly timer: NodeJS.Timeout;
  readonly resolve: (result: ThreadAnswer['result']) => void;
  readonly reject: (error: Error) => void;
};

/** Starts with the first call. `file` is the database's. */
export function createIndexThread(file: string): IndexThread {
  const thread = new Thread(file);
  return {
    async position(...args) {
      const result = await thread.ask({ method: 'position', args });
      if (result.method !== 'position') throw unexpected(result);
      return result.value;
    },
    async add(...args) {
      const result = await thread.ask({ method: 'add', args });
      if (result.method !== 'add') throw unexpected(result);
    },
    async search(...args) {
      const result = await thread.ask({ method: 'search', args });
      if (result.method !== 'search') throw unexpected(result);
      return result.value;
    },
    async range(...args) {
      const result = await thread.ask({ method: 'range', args });
      if (result.method !== 'range') throw unexpected(result);
      return result.value;
    },
    async deleteSome(...args) {
      const result = await thread.ask({ method: 'deleteSome', args });
      if (result.method !== 'deleteSome') throw unexpected(result);
      return result.value;
    },
    close: () => thread.close(),
  };
}

const unexpected = (result: ThreadAnswer['result']): Error =>
  new Error(result.method === 'failed' ? result.reason : `the thread of the index answered ${result.method}`);

class Thread {
  readonly #file: string;
  #worker: Worker | undefined;
  #closed = false;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();

  constructor(file: string) {
    this.#file = file;
  }

  ask(job: IndexJob | 'close', timeoutMs = ANSWER_MS): Promise<ThreadAnswer['result']> {
    const { promise, resolve, reject } = Promise.withResolvers<ThreadAnswer['result']>();
    if (this.#closed && job !== 'close') return Promise.reject(new Error('the index is closed'));
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(new Error(`more than ${MAX_WAITING} wait for the index already`));
    }
    const worker = (this.#worker ??= this.#start());
    const id = (this.#lastId += 1);
    const timer = setTimeout(() => this.#end(worker, `no answer within ${timeoutMs} ms`), timeoutMs);
    this.#waiting.set(id, { timer, resolve, reject });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage({ id, job } satisfies ThreadRequest);
    return promise;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    await this.ask('close', CLOSE_MS).catch(() => undefined);
    this.#end(worker, 'closed');
    await worker.terminate();
  }

  #start(): Worker {
    // Built, this file and the thread's end in `.js`; unbuilt, in `.ts`.
    const worker = new Worker(new URL(`./index-thread.worker${extname(import.meta.url)}`, import.meta.url), {
      env: {},
      execArgv: [],
      workerData: this.#file,
    });
    // An idle one keeps no process alive.
    worker.unref();
    worker.on('message', ({ id, result }: ThreadAnswer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      clearTimeout(waiting?.timer);
      waiting?.resolve(result);
    });
    worker.on('error', (error) => this.#end(worker, error instanceof Error ? error.message : String(error)));
    worker.on('exit', () => this.#end(worker, 'it ended'));
    return worker;
  }

  #end(worker: Worker, reason: string): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    void worker.terminate();
    for (const [id, { timer, reject }] of this.#waiting) {
      clearTimeout(timer);
      this.#waiting.delete(id);
      reject(new Error(`the index ${this.#file}: ${reason}`));
    }
  }
}
