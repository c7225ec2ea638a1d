/**
 * The generic cell rate algorithm, as arithmetic: one number per bucket, the theoretical arrival time (TAT). A bucket is
 * full when its TAT lies in the past, and empty when the TAT is `toleranceMs` or more ahead of now.
 */

/** `burst` requests at once, refilled at `count` requests in `periodMs`. */
export type Rate = { readonly count: number; readonly periodMs: number; readonly burst: number };

export type Gcra = {
  /** Milliseconds in which one request is earned back. */
  readonly intervalMs: number;
  /** How far the TAT may be ahead of now: `(burst - 1)` intervals. */
  readonly toleranceMs: number;
};

/** Sums of thirds of a millisecond are not exact: a difference below this is none. Good for years of a monotonic clock. */
const ROUNDING_MS = 1e-4;

/** @throws RangeError when count, period or burst is not a positive whole number. */
export function gcra({ count, periodMs, burst }: Rate): Gcra {
  for (const [name, value] of Object.entries({ count, periodMs, burst })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name} ${value} must be a positive whole number`);
  }
  const intervalMs = periodMs / count;
  return { intervalMs, toleranceMs: intervalMs * (burst - 1) };
}

/** How long until one request is allowed; 0 when it is allowed now. Whole milliseconds, never too few. */
export function waitMs(rule: Gcra, tatMs: number, nowMs: number): number {
  const wait = tatMs - rule.toleranceMs - nowMs;
  return wait <= ROUNDING_MS ? 0 : Math.ceil(wait - ROUNDING_MS);
}

/** The TAT after one request was taken. */
export const taken = (rule: Gcra, tatMs: number, nowMs: number): number =>
  (tatMs > nowMs ? tatMs : nowMs) + rule.intervalMs;

/** The TAT after one request was given back. A TAT in the past is a full bucket, so it never overflows. */
export const givenBack = (rule: Gcra, tatMs: number): number => tatMs - rule.intervalMs;
