/**
 * Upstreams that are ready before anyone asks: a first call that gets one does not feel the start of a process. A spare
 * has served nobody, so it may serve anybody whose credential it was started with. How many there are follows demand:
 * one more whenever a call found none, one less after a quiet while.
 */

import type { Clock } from './clock.ts';
import type { Upstream } from './connector.ts';

export type SpareLimits = {
  /** Kept ready at all times, once the server was first asked for. */
  readonly min: number;
  /** Never more, however great the demand. 0 for no spares. */
  readonly max: number;
};

export type SpareOptions = {
  readonly clock: Clock;
  /** Whether the server may have one more upstream alive. */
  readonly hasRoom: () => boolean;
  readonly close: (upstream: Upstream) => void;
  /** One is ready, or could not be made: whoever waits for room may have it now. */
  readonly onSettled: () => void;
};

/** How a spare is made, and for which callers: those with the same server version and credential. */
export type Making = { readonly key: string; readonly connect: () => Promise<Upstream> };

const QUIET_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;

export class SpareRack {
  readonly #options: SpareOptions;
  readonly #ready = new Set<Upstream>();
  #limits: SpareLimits = { min: 0, max: 0 };
  #making: Making | undefined;
  #connecting = 0;
  #wanted = 0;
  #missedAtMs = 0;
  #askedAtMs = 0;
  #failures = 0;
  #pausedUntilMs = 0;
  #closed = false;
  #primed = false;

  constructor(options: SpareOptions) {
    this.#options = options;
  }

  /** Alive: they count like any other upstream of the server. */
  get alive(): number {
    return this.#ready.size + this.#connecting;
  }

  get ready(): number {
    return this.#ready.size;
  }

  /**
   * New limits, or a new way to be made, after which those made in another way are of no use. The old way stays for as long
   * as it was asked for lately: callers who each have a credential of their own would otherwise undo each other's spares.
   */
  configure(limits: SpareLimits, making: Making): void {
    const nowMs = this.#options.clock.nowMs();
    const current = this.#making?.key;
    if (current === undefined || current === making.key || nowMs - this.#askedAtMs >= QUIET_MS) {
      if (current !== making.key) {
        while (this.drop());
        this.#primed = false;
      }
      this.#making = making;
      this.#askedAtMs = nowMs;
    }
    this.#limits = limits;
    this.#wanted = Math.min(Math.max(this.#wanted, limits.min), limits.max);
  }

  /** A spare for callers of this key, or undefined: then one more is wanted from now on. */
  take(key: string): Upstream | undefined {
    if (this.#making?.key !== key) return undefined;
    const [spare] = this.#ready;
    if (spare === undefined) {
      // Before the first one was ever ready, nobody can be said to have missed one.
      if (!this.#primed) return undefined;
      this.#missedAtMs = this.#options.clock.nowMs();
      this.#wanted = Math.min(this.#wanted + 1, this.#limits.max);
    } else this.#ready.delete(spare);
    return spare;
  }

  /** Makes what is missing, in the background. */
  fill(): void {
    const nowMs = this.#options.clock.nowMs();
    while (!this.#closed && this.alive < this.#wanted && nowMs >= this.#pausedUntilMs && this.#options.hasRoom()) {
      if (this.#making === undefined) return;
      void this.#make(this.#making);
    }
  }

  /** Called now and then: gives up what nobody needed for a while, and replaces what has ended. */
  sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#wanted > this.#limits.min && nowMs - this.#missedAtMs >= QUIET_MS) {
      this.#wanted -= 1;
      this.#missedAtMs = nowMs;
    }
    while (this.#ready.size > this.#wanted) this.drop();
    this.fill();
  }

  /** Closes one, to make room. False when there is none. */
  drop(): boolean {
    const [spare] = this.#ready;
    if (spare === undefined) return false;
    this.#ready.delete(spare);
    this.#options.close(spare);
    return true;
  }

  close(): void {
    this.#closed = true;
    while (this.drop());
  }

  async #make(making: Making): Promise<void> {
    this.#connecting += 1;
    try {
      const upstream = await making.connect();
      if (this.#closed || this.#making?.key !== making.key) this.#options.close(upstream);
      else this.#shelve(upstream);
    } catch {
      // The next call that needs one meets the same failure, and reports it.
      this.#pause();
    } finally {
      this.#connecting -= 1;
      this.#options.onSettled();
    }
  }

  #shelve(upstream: Upstream): void {
    this.#failures = 0;
    this.#primed = true;
    this.#ready.add(upstream);
    void upstream.ended.then(() => this.#lost(upstream));
  }

  /** It ended before anyone got it. */
  #lost(upstream: Upstream): void {
    if (!this.#ready.delete(upstream)) return;
    this.#options.close(upstream);
    this.#pause();
  }

  #pause(): void {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, MAX_PAUSE_MS);
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#pausedUntilMs = this.#options.clock.nowMs() + pauseMs;
  }
}
