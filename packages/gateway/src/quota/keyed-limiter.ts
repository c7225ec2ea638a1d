/** One limit over keys of any kind, such as the addresses that failed to authenticate. */

import { createBuckets } from './buckets.ts';
import { gcra, givenBack, taken, waitMs, type Rate } from './gcra.ts';
import type { QuotaVerdict } from './limiter.ts';

export type KeyedLimiterOptions = Rate & {
  /** For messages, such as `60/minute per address`. */
  readonly text: string;
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
  const rule = gcra(options);
  const buckets = createBuckets(options.maxKeys ?? DEFAULT_MAX_KEYS);
  return {
    allow(key) {
      const nowMs = options.now();
      const bucket = buckets.of(key, nowMs);
      const retryAfterMs = waitMs(rule, bucket.tatMs, nowMs);
      if (retryAfterMs > 0) return { allowed: false, retryAfterMs, limit: options.text, because: 'rate' };
      bucket.tatMs = taken(rule, bucket.tatMs, nowMs);
      return ALLOWED;
    },
    giveBack(key) {
      const bucket = buckets.of(key, options.now());
      bucket.tatMs = givenBack(rule, bucket.tatMs);
    },
  };
}
