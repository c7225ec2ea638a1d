/**
 * Questions that legacy clients were asked and have not answered yet. An answer comes as a POST of its own, on any
 * connection; it must belong to the session that was asked, and is taken once.
 */

import type { JsonObject } from '../model/json.ts';

/** `session-ended`: its client said so. `draining`: the gateway stops, and takes no more answers. */
export type Unanswered = 'late' | 'gone' | 'session-ended' | 'draining';

export type Reply = { readonly kind: 'answered'; readonly message: JsonObject } | { readonly kind: Unanswered };

type Waiting = { readonly session: string; readonly take: (reply: Reply) => void };

export class OpenQuestions {
  readonly #max: number;
  readonly #waiting = new Map<string, Waiting>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** What comes back for the question `id`, whichever comes first; undefined when too many are open. */
  wait(session: string, id: string): { readonly reply: Promise<Reply>; end(why: Unanswered): void } | undefined {
    if (this.#waiting.size >= this.#max) return undefined;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const take = (reply: Reply): void => {
      this.#waiting.delete(id);
      resolve(reply);
    };
    this.#waiting.set(id, { session, take });
    return { reply: promise, end: (kind) => take({ kind }) };
  }

  /** False for an answer that nobody waits for, or that another session was asked for. */
  answer(session: string, id: string | number, message: JsonObject): boolean {
    const waiting = typeof id === 'string' ? this.#waiting.get(id) : undefined;
    if (waiting?.session !== session) return false;
    waiting.take({ kind: 'answered', message });
    return true;
  }

  endSession(session: string): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.session === session) waiting.take({ kind: 'session-ended' });
    }
  }

  endAll(): void {
    for (const waiting of this.#waiting.values()) waiting.take({ kind: 'draining' });
  }
}
