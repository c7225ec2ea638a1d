/**
 * What went wrong when one server was last reached for, per pool key, and when to try again: exponential, with a cap. Kept
 * per key, so that one person's rejected credential does not keep everyone else away from the server.
 */

import { failure, failureMessage, refuse, Refusal } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';

export type BackoffOptions = {
  readonly firstMs: number;
  readonly maxMs: number;
  /** An upstream that lived this long was not part of a crash loop. */
  readonly stableMs: number;
  /** How many keys with failures are remembered; the oldest is forgotten first. */
  readonly maxRemembered: number;
};

export const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 250, maxMs: 30_000, stableMs: 10_000, maxRemembered: 1000 };

type Remembered = {
  readonly failure: Failure;
  readonly count: number;
  readonly atMs: number;
  readonly retryAtMs: number;
};

export class ConnectFailures {
  readonly #options: BackoffOptions;
  readonly #byKey = new Map<string, Remembered>();
  #latest: Remembered | undefined;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The failure to answer with while it is too early to try again. */
  tooEarly(key: string, nowMs: number): Failure | undefined {
    const remembered = this.#byKey.get(key);
    if (remembered === undefined || nowMs >= remembered.retryAtMs) return undefined;
    const retryAfterMs = Math.ceil(remembered.retryAtMs - nowMs);
    const times = remembered.count === 1 ? 'once' : `${remembered.count} times in a row`;
    const seconds = (retryAfterMs / 1000).toFixed(1);
    return failure('server-unavailable', {
      message: `${failureMessage(remembered.failure)} It failed ${times}; the next attempt is possible in ${seconds} s.`,
      retryAfterMs,
      cause: remembered.failure.cause,
    });
  }

  connectFailed(key: string, of: Failure, nowMs: number): void {
    this.#remember(key, of, { nowMs, freeAttempts: 0 });
  }

  /** An upstream ended though nobody closed it. Once is no pattern: the first early end costs no delay. */
  ended(key: string, lived: { readonly sinceMs: number; readonly nowMs: number }): void {
    if (lived.nowMs - lived.sinceMs >= this.#options.stableMs) {
      this.#byKey.delete(key);
      return;
    }
    const message = `The server ended ${Math.round(lived.nowMs - lived.sinceMs)} ms after it was ready.`;
    this.#remember(key, failure('upstream-closed', { message }), { nowMs: lived.nowMs, freeAttempts: 1 });
  }

  /** The last failure of any key, for status. */
  latest(): { readonly failure: Failure; readonly atMs: number } | undefined {
    return this.#latest;
  }

  #remember(key: string, of: Failure, { nowMs, freeAttempts }: { nowMs: number; freeAttempts: number }): void {
    const before = this.#byKey.get(key);
    const isSeries = before !== undefined && nowMs - before.retryAtMs < this.#options.maxMs;
    const count = isSeries ? before.count + 1 : 1;
    const steps = count - 1 - freeAttempts;
    const delayMs = steps < 0 ? 0 : Math.min(this.#options.firstMs * 2 ** Math.min(steps, 30), this.#options.maxMs);
    const remembered = { failure: of, count, atMs: nowMs, retryAtMs: nowMs + delayMs };
    this.#byKey.delete(key);
    this.#byKey.set(key, remembered);
    this.#latest = remembered;
    const [oldest] = this.#byKey.keys();
    if (this.#byKey.size > this.#options.maxRemembered && oldest !== undefined) this.#byKey.delete(oldest);
  }
}

/** Whoever aborts may say why with a `Refusal`; nothing has left yet. */
export function abortReason(signal: AbortSignal): Refusal {
  const reason: unknown = signal.reason;
  return reason instanceof Refusal ? new Refusal({ ...reason.failure, sent: 'no' }) : refuse('cancelled');
}

export function connectFailure(error: unknown): Failure {
  return error instanceof Refusal ? error.failure : failure('server-unavailable', { cause: error });
}
