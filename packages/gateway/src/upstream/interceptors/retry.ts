/**
 * Tries again what is safe to try again: what never left, and what the operator marked as idempotent or read-only. A budget
 * per server keeps retries from becoming the load that keeps a struggling server down.
 */

import type { Call, Interceptor, SendOptions } from '../../model/call.ts';
import { FAILURES } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { ServerId } from '../../model/target.ts';
import type { Clock } from '../clock.ts';

export type RetryOptions = {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** After the first attempt. 0 for none. */
  readonly retriesFor: (call: Call) => number;
  readonly budgetOf: (server: ServerId) => RetryBudget;
  readonly onRetry: (call: Call, failure: Failure) => void;
};

const FIRST_DELAY_MS = 100;
/** A server that asks for a longer pause is not waited for: the caller is told instead. */
const MAX_DELAY_MS = 2_000;

export function retry(options: RetryOptions): Interceptor {
  return (next) => async (call, sendOptions) => {
    const budget = options.budgetOf(call.entry.server.id);
    budget.called();
    for (let retried = 0; ; retried++) {
      const outcome = await next(call, sendOptions);
      if (outcome.kind !== 'failed' || retried >= options.retriesFor(call)) return outcome;
      const { failure } = outcome;
      if (!maySendAgain(call, sendOptions, failure)) return outcome;
      const delayMs = delayBefore(retried, failure, options.random);
      if (delayMs === undefined || !budget.take()) return outcome;
      if (!(await waited(delayMs, options.clock, sendOptions.signal))) return outcome;
      options.onRetry(call, failure);
    }
  };
}

function maySendAgain({ entry }: Call, { answers, channel, signal }: SendOptions, failure: Failure): boolean {
  const { fault, retry: mayPass } = FAILURES[failure.code];
  // An answer to a question counts once; and what we refused ourselves, we would refuse again.
  if (signal.aborted || answers !== undefined || fault !== 'upstream' || !mayPass) return false;
  if (failure.sent === 'no') return true;
  // Progress that was shown already would go backwards (MCP, basic/utilities/progress).
  return (entry.traits.idempotent || entry.traits.readOnly) && !channel.wantsProgress;
}

/** Exponential, of which the upper half is left to chance, so that callers who failed together do not come back together. */
function delayBefore(retried: number, { retryAfterMs = 0 }: Failure, random: () => number): number | undefined {
  const backoffMs = Math.min(FIRST_DELAY_MS * 2 ** retried, MAX_DELAY_MS);
  const delayMs = retryAfterMs + backoffMs / 2 + (backoffMs / 2) * random();
  return delayMs > MAX_DELAY_MS ? undefined : delayMs;
}

function waited(ms: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const leave = (): void => {
      cancel();
      resolve(false);
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', leave);
      resolve(true);
    });
    signal.addEventListener('abort', leave, { once: true });
  });
}

/** Retries of one server: a few at any time, and beyond those a tenth of its calls. */
export class RetryBudget {
  static readonly MAX = 20;
  static readonly PER_CALL = 0.1;
  #left = RetryBudget.MAX / 2;

  called(): void {
    this.#left = Math.min(RetryBudget.MAX, this.#left + RetryBudget.PER_CALL);
  }

  /** False when there is none left. */
  take(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
