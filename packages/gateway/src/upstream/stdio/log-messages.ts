/**
 * Whose log message is it? What a process writes to its pipe names no request, in any revision. So it is handed to a call
 * only where it can be nobody else's: the process is one person's alone, one call is at work in it, and none was cancelled
 * a moment ago that may be at work still. Any other message is nobody's: a line about one person's data must not reach
 * another's client, and one about another call would tell a story that did not happen.
 */

import type { JsonObject } from '../../model/json.ts';
import type { Clock } from '../clock.ts';

export interface LogTaker {
  logged(params: JsonObject): void;
}

export type LogMessagesOptions = {
  readonly clock: Clock;
  /** The process may serve several people: what it says between two calls can be about anybody's. */
  readonly isShared: boolean;
  /** Nobody's. */
  readonly dropped: () => void;
};

/** How long a cancelled call is taken to be at work all the same. */
const LINGERS_MS = 10_000;

export class LogMessages {
  readonly #options: LogMessagesOptions;
  readonly #working = new Set<LogTaker>();
  #clearAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LogMessagesOptions) {
    this.#options = options;
  }

  enter(taker: LogTaker): void {
    this.#working.add(taker);
  }

  /** `isDone`: the server is not at work for it any more. */
  leave(taker: LogTaker, isDone: boolean): void {
    if (!this.#working.delete(taker) || isDone) return;
    this.#clearAtMs = this.#options.clock.nowMs() + LINGERS_MS;
  }

  heard(params: JsonObject): void {
    const { isShared, clock, dropped } = this.#options;
    const [taker, ...others] = this.#working;
    const isClear = !isShared && others.length === 0 && clock.nowMs() >= this.#clearAtMs;
    if (taker !== undefined && isClear) taker.logged(params);
    else dropped();
  }
}
