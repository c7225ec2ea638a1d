/**
 * One place in a store, read once for all who refer to it: cached, looked at again before its end and apart from calls, kept
 * for as long as its lease lasts while the store is away, and read again when a server refuses what is held.
 */

import { Secret } from '../model/secret.ts';
import type { Logger } from '../telemetry/logger.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from './secret-store.ts';

export type LeaseTimes = {
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Runs a task once after a delay, without keeping the process alive; the returned function prevents it. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  /** In [0, 1): spreads looks, so that what was read together is not read together again. */
  readonly random: () => number;
};

export type LeasedSecretOptions = LeaseTimes & {
  /** As an operator writes it, without the field. */
  readonly name: string;
  readonly reference: string;
  readonly store: SecretStore;
  /** `use`: a look costs next to nothing and whoever asks waits for it. `time`: it goes over a network or starts a process. */
  readonly lookOn: 'use' | 'time';
  readonly logger: Logger;
};

/** How things stand, for reports. Ages and times left in milliseconds. */
export type LeaseState = {
  readonly name: string;
  readonly ageMs: number;
  /** Until it must not be used any more, by the store's own word. */
  readonly leftMs?: number;
  readonly version: string;
  /** Why the store did not say anything new the last time. */
  readonly failing?: string;
};

type Held = { readonly lease: Lease; readonly readAtMs: number; readonly endsAtMs: number; checkAtMs: number };

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** A server that refuses everything must not make a store mint credentials without end. */
const MIN_REREAD_MS = 5_000;
/** Of the time until the next look, so much is left to chance. */
const JITTER = 0.2;
/** The longest that a timer of Node can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class LeasedSecret {
  readonly #options: LeasedSecretOptions;
  readonly #closing = new AbortController();
  #held: Held | undefined;
  #running: Promise<Lease> | undefined;
  #cancelNext: (() => void) | undefined;
  #failures = 0;
  #problem: UnresolvedReferenceError | undefined;
  #retryAtMs = -Infinity;
  #rereadAtMs = -Infinity;
  /** Counts what was different from what was there before; a version made from the value would tell something about it. */
  #changes = 0;

  constructor(options: LeasedSecretOptions) {
    this.#options = options;
  }

  /** @throws UnresolvedReferenceError */
  get(): Promise<Lease> {
    const { clockMs, lookOn } = this.#options;
    const nowMs = clockMs();
    const held = this.#held;
    if (held === undefined || nowMs >= held.endsAtMs) {
      // A store that is away is not asked by every call.
      if (lookOn === 'time' && this.#problem !== undefined && nowMs < this.#retryAtMs)
        return Promise.reject(this.#problem);
      return this.#look('read');
    }
    if (nowMs < held.checkAtMs) return Promise.resolve(held.lease);
    const look = this.#look('renew');
    if (lookOn === 'use') return look;
    // The timer is late: this process was asleep.
    look.catch(() => undefined);
    return Promise.resolve(held.lease);
  }

  /** A server refused what is held: looks whether there is something else by now. Never throws. */
  async reread(): Promise<void> {
    const nowMs = this.#options.clockMs();
    if (this.#running === undefined && nowMs - this.#rereadAtMs < MIN_REREAD_MS) return;
    this.#rereadAtMs = nowMs;
    await this.#look('read').catch(() => undefined);
  }

  /** Undefined until it was read. */
  state(): LeaseState | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const nowMs = this.#options.clockMs();
    return {
      name: this.#options.name,
      ageMs: nowMs - held.readAtMs,
      ...(held.lease.ends === true ? { leftMs: held.endsAtMs - nowMs } : {}),
      version: held.lease.version ?? String(this.#changes),
      ...(this.#problem === undefined ? {} : { failing: this.#problem.message }),
    };
  }

  /** Why its store could not be asked the last time. */
  get away(): string | undefined {
    return this.#problem?.fault === 'away' ? this.#problem.message : undefined;
  }

  close(): void {
    this.#cancelNext?.();
    this.#closing.abort(new UnresolvedReferenceError('The gateway is shutting down.'));
  }

  /** Whoever asks meanwhile shares the same look. */
  #look(how: 'read' | 'renew'): Promise<Lease> {
    this.#running ??= this.#attempt(how).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #attempt(how: 'read' | 'renew'): Promise<Lease> {
    const { store, reference, clockMs } = this.#options;
    const askedAtMs = clockMs();
    const before = this.#held?.lease;
    try {
      const { signal } = this.#closing;
      const renews = how === 'renew' && before !== undefined;
      const lease = await (renews ? store.renew(reference, before, signal) : store.read(reference, signal));
      this.#hold(lease, askedAtMs);
      return lease;
    } catch (error) {
      return this.#fail(asUnresolved(this.#options.name, error));
    }
  }

  /** Its time counts from before the question: an answer that was long on its way ends no later for it. */
  #hold(lease: Lease, askedAtMs: number): void {
    const { name, logger } = this.#options;
    const before = this.#held?.lease;
    if (before === undefined || !isSameValue(before.value, lease.value)) this.#changes += 1;
    if (this.#problem !== undefined && before !== undefined)
      logger.info({ reference: name }, 'the secret can be read again');
    this.#failures = 0;
    this.#problem = undefined;
    const endsAtMs = askedAtMs + (lease.lastsMs ?? Infinity);
    this.#held = { lease, readAtMs: askedAtMs, endsAtMs, checkAtMs: askedAtMs + lease.checkAfterMs };
    this.#schedule(lease.checkAfterMs * (1 - JITTER * this.#options.random()));
  }

  #fail(problem: UnresolvedReferenceError): Lease {
    const { name, logger, clockMs, random, lookOn } = this.#options;
    const nowMs = clockMs();
    const wasFailing = this.#problem !== undefined;
    this.#problem = problem;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS) * (1 - JITTER * random());
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#retryAtMs = nowMs + delayMs;
    if (problem.fault === 'gone' || (this.#held !== undefined && nowMs >= this.#held.endsAtMs)) this.#held = undefined;
    const held = this.#held;
    if (held === undefined) {
      // Nobody needs it now: whoever does next asks.
      this.#cancelNext?.();
      throw problem;
    }
    held.checkAtMs = lookOn === 'use' ? nowMs + held.lease.checkAfterMs : this.#retryAtMs;
    this.#schedule(delayMs);
    // Once per outage: a file that is being replaced is away for an instant, and the last value is still good.
    if (!wasFailing)
      logger.warn(
        { reference: name },
        `${problem.message} The last value stays in use${until(held.endsAtMs - nowMs)}.`,
      );
    return held.lease;
  }

  #schedule(delayMs: number): void {
    this.#cancelNext?.();
    if (this.#options.lookOn === 'use' || delayMs > MAX_TIMER_MS || this.#closing.signal.aborted) return;
    this.#cancelNext = this.#options.after(delayMs, () => {
      this.#look('renew').catch(() => undefined);
    });
  }
}

const until = (leftMs: number): string =>
  leftMs === Infinity ? '' : ` for at most ${Math.max(1, Math.round(leftMs / 1000))} s more`;

function asUnresolved(name: string, error: unknown): UnresolvedReferenceError {
  if (error instanceof UnresolvedReferenceError) return error;
  // Whatever a store did not foresee may quote what it was working on.
  return new UnresolvedReferenceError(`${name} cannot be read: its store failed.`, { cause: error });
}

function isSameValue(left: Lease['value'], right: Lease['value']): boolean {
  if (left instanceof Secret || right instanceof Secret) {
    return left instanceof Secret && right instanceof Secret && left.expose() === right.expose();
  }
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length && names.every((name) => left[name]?.expose() === right[name]?.expose())
  );
}
