/** One limit over keys of any kind, such as the addresses that failed to authenticate. */

import { createBuckets } from './buckets.ts';
import { gcra, givenBack, taken, waitMs } from './gcra.ts';
import type { QuotaVerdict } from './limiter.ts';
import { parseRate } from './rate.ts';

export type KeyedLimiterOptions = {
  /** Such as `60/minute`. */
  readonly rate: string;
  /** How many at once; a whole period's worth when absent. */
  readonly burst?: number;
  readonly maxKeys?: number;
  /** Milliseconds of a clock that never runs backwards. */
  readonly now: () => number;
};

export interface KeyedLimiter {
  /** Takes one, or says how long to wait. */
  allow(key: string): QuotaVerdict;
  /** Gives one back, for what turned out not to count. */
  giveBack(key: string): void;
}

const ALLOWED: QuotaVerdict = { allowed: true };

const DEFAULT_MAX_KEYS = 100_000;

/** @throws RangeError when the rate, the burst or the bound is not a positive whole number. */
export function createKeyedLimiter(options: KeyedLimiterOptions): KeyedLimiter {
  const rule = gcraOf(options.rate, options.burst);
  const buckets = createBuckets(options.maxKeys ?? DEFAULT_MAX_KEYS);
  return {
    allow(key) {
      const nowMs = options.now();
      const bucket = buckets.of(key, nowMs);
      const retryAfterMs = waitMs(rule, bucket.tatMs, nowMs);
      if (retryAfterMs > 0) return { allowed: false, retryAfterMs, limit: options.rate };
      bucket.tatMs = taken(rule, bucket.tatMs, nowMs);
      return ALLOWED;
    },
    giveBack(key) {
      const bucket = buckets.of(key, options.now());
      bucket.tatMs = givenBack(rule, bucket.tatMs);
    },
  };
}

/** The arithmetic of a rate as configured. Without a burst, a whole period's worth may come at once. */
export function gcraOf(rate: string, burst?: number): ReturnType<typeof gcra> {
  const parsed = parseRate(rate);
  if (!parsed.ok) throw new RangeError(parsed.error);
  const atOnce = burst ?? parsed.value.count;
  if (!Number.isSafeInteger(atOnce) || atOnce < 1) {
    throw new RangeError(`burst ${atOnce} of rate ${rate} must be a positive whole number`);
  }
  return gcra(parsed.value.count, parsed.value.periodMs, atOnce);
}
