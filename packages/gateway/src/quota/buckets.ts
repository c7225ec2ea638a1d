/** The buckets of one limit: a bounded map from key to theoretical arrival time. */

/** How many of the longest untouched buckets are looked at to make room for a new one. */
const SAMPLE = 16;

/** A bucket that was never taken from is full: its theoretical arrival time is the distant past. */
export type Bucket = { tatMs: number };

export interface Buckets {
  readonly size: number;
  /** The bucket of `key`, a full one if it is new. Use it at once: it may be forgotten when the next one is made. */
  of(key: string, nowMs: number): Bucket;
}

/**
 * Full buckets are forgotten, because a missing bucket is a full one. At the bound, when none of the sampled buckets is
 * full, the fullest of them is forgotten, rather than a new key refused: refusing would let whoever can make keys (an
 * address range) lock everyone else out, while forgetting gives back less than one burst to one key, which costs the
 * attacker a key each time.
 *
 * @throws RangeError when the bound is not a positive whole number.
 */
export function createBuckets(maxKeys: number): Buckets {
  if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) throw new RangeError('maxKeys must be a positive whole number');
  const buckets = new Map<string, Bucket>();

  const makeRoom = (nowMs: number): void => {
    let victim: string | undefined;
    let victimTatMs = Number.POSITIVE_INFINITY;
    let seen = 0;
    for (const [key, { tatMs }] of buckets) {
      if (tatMs <= nowMs) buckets.delete(key);
      else if (tatMs < victimTatMs) {
        victim = key;
        victimTatMs = tatMs;
      }
      if (++seen === SAMPLE) break;
    }
    if (buckets.size >= maxKeys && victim !== undefined) buckets.delete(victim);
  };

  return {
    get size() {
      return buckets.size;
    },
    of(key, nowMs) {
      const known = buckets.get(key);
      if (known !== undefined) return known;
      if (buckets.size >= maxKeys) makeRoom(nowMs);
      const bucket = { tatMs: Number.NEGATIVE_INFINITY };
      buckets.set(key, bucket);
      return bucket;
    },
  };
}
