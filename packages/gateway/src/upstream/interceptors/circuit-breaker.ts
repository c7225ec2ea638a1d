/**
 * A server that keeps failing is not asked for a while: its callers are told at once instead of waiting for the same
 * failure, and it gets room to recover. After the pause one call goes through to see; the others are still refused, because
 * a probe that hangs must not hang them all.
 */

import type { Clock } from '../clock.ts';

export type BreakerOptions = {
  /** How many of the latest calls are looked at. */
  readonly window: number;
  /** It opens when so many of them could not be served. */
  readonly failures: number;
  /** The first pause; doubled each time a probe fails, up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
};

export const DEFAULT_BREAKER: BreakerOptions = { window: 10, failures: 5, openMs: 2_000, maxOpenMs: 60_000 };

export type BreakerState = 'closed' | 'open' | 'half-open';

/** `neither`: the call says nothing about the server, for example because its caller left. */
export type Served = 'yes' | 'no' | 'neither';

/** To be told, once, what became of the call. Undefined instead: not now. */
export type Entered = { leave(served: Served): void };

export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #options: BreakerOptions;
  readonly #onChange: (state: BreakerState) => void;
  /** The latest calls, `true` for those that were not served; a ring of `window`. */
  #failed: boolean[] = [];
  #next = 0;
  #state: BreakerState = 'closed';
  #probing = false;
  #pauseMs = 0;
  #openUntilMs = 0;

  /** @throws RangeError when it could never open, or never close. */
  constructor(clock: Clock, options: BreakerOptions, onChange: (state: BreakerState) => void) {
    const { window, failures, openMs, maxOpenMs } = options;
    if (!(failures >= 1 && failures <= window)) {
      throw new RangeError(`A breaker opens after 1 to ${window} failures, not after ${failures}.`);
    }
    if (!(openMs > 0 && openMs <= maxOpenMs))
      throw new RangeError('A breaker pauses for some time, up to its maximum.');
    this.#clock = clock;
    this.#options = options;
    this.#onChange = onChange;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** How long until the next call may try, in milliseconds. */
  get pauseLeftMs(): number {
    return this.#state === 'closed' ? 0 : Math.max(0, this.#openUntilMs - this.#clock.nowMs());
  }

  /** Undefined while the server is not to be asked. */
  enter(): Entered | undefined {
    if (this.#state === 'closed') return this.#counted;
    if (this.#probing || this.#clock.nowMs() < this.#openUntilMs) return undefined;
    this.#probing = true;
    this.#change('half-open');
    return { leave: (served) => this.#probed(served) };
  }

  /** One object for every ordinary call: what it does depends on nothing of the call's. */
  readonly #counted: Entered = { leave: (served) => this.#count(served) };

  #count(served: Served): void {
    // A call that began before it opened ends after: it has been counted on by then.
    if (served === 'neither' || this.#state !== 'closed') return;
    this.#failed[this.#next] = served === 'no';
    this.#next = (this.#next + 1) % this.#options.window;
    if (served === 'yes') return;
    const failures = this.#failed.reduce((sum, failed) => sum + (failed ? 1 : 0), 0);
    if (failures >= this.#options.failures) this.#open(this.#options.openMs);
  }

  #probed(served: Served): void {
    this.#probing = false;
    if (served === 'yes') {
      this.#failed = [];
      this.#next = 0;
      this.#change('closed');
    } else if (served === 'no') this.#open(Math.min(this.#pauseMs * 2, this.#options.maxOpenMs));
    // Otherwise nothing was learnt, and the next caller tries.
  }

  #open(pauseMs: number): void {
    this.#pauseMs = pauseMs;
    this.#openUntilMs = this.#clock.nowMs() + pauseMs;
    this.#change('open');
  }

  #change(state: BreakerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#onChange(state);
  }
}
