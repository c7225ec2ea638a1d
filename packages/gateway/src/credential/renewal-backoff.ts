/** When a renewal that failed is tried again, and which ones succeeded a moment ago. Bounded: the oldest is forgotten first. */

export type RenewalBackoffOptions = {
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly firstMs?: number;
  readonly maxMs?: number;
  readonly maxRemembered?: number;
};

type Remembered = { readonly failures: number; readonly untilMs: number; readonly renewedMs: number };

export class RenewalBackoff {
  readonly #options: Required<RenewalBackoffOptions>;
  readonly #remembered = new Map<string, Remembered>();

  constructor(options: RenewalBackoffOptions) {
    this.#options = { firstMs: 500, maxMs: 60_000, maxRemembered: 5_000, ...options };
  }

  /** 0 when it may be tried now. */
  pauseMs(name: string): number {
    return Math.max(0, (this.#remembered.get(name)?.untilMs ?? 0) - this.#options.clockMs());
  }

  renewedWithin(name: string, ms: number): boolean {
    return this.#options.clockMs() - (this.#remembered.get(name)?.renewedMs ?? -Infinity) < ms;
  }

  failed(name: string): void {
    const { clockMs, random, firstMs, maxMs } = this.#options;
    const { failures = 0, renewedMs = -Infinity } = this.#remembered.get(name) ?? {};
    const waitMs = Math.min(firstMs * 2 ** Math.min(failures, 30), maxMs);
    this.#remember(name, { failures: failures + 1, untilMs: clockMs() + waitMs * (0.5 + random() / 2), renewedMs });
  }

  succeeded(name: string): void {
    this.#remember(name, { failures: 0, untilMs: 0, renewedMs: this.#options.clockMs() });
  }

  #remember(name: string, what: Remembered): void {
    this.#remembered.delete(name);
    this.#remembered.set(name, what);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > this.#options.maxRemembered && oldest !== undefined) this.#remembered.delete(oldest);
  }
}
