/**
 * The calls of legacy clients that run in this process, by session and request id: a legacy client cancels with a message
 * of its own, on any connection (MCP 2025-11-25, basic/utilities/cancellation). Closing the stream means nothing.
 */

import type { CallExchange } from './call-exchange.ts';

export class RunningCalls {
  /** Bounded as the requests at work are. */
  readonly #running = new Map<string, CallExchange>();

  /** The returned function ends it. Of two calls with one id, which the protocol forbids, the later can be cancelled. */
  add(session: string, id: string | number, exchange: CallExchange): () => void {
    const key = keyOf(session, id);
    this.#running.set(key, exchange);
    return () => {
      if (this.#running.get(key) === exchange) this.#running.delete(key);
    };
  }

  /** False when there is none here. A call that has ended, or that is another session's, is let be (the same page: such a message may be ignored). */
  cancel(session: string, id: unknown): boolean {
    const found = typeof id === 'string' || typeof id === 'number' ? this.#running.get(keyOf(session, id)) : undefined;
    found?.cancel();
    return found !== undefined;
  }
}

/** The id `1` and the id `"1"` are two. */
const keyOf = (session: string, id: string | number): string => `${session} ${typeof id} ${id}`;
