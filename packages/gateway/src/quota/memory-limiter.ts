/** The limits of the configuration, in memory: exact for one replica. */

import { globMatches } from '../model/glob.ts';
import type { Entry, Risk } from '../model/target.ts';
import { createBuckets, type Bucket, type Buckets } from './buckets.ts';
import { gcra, taken, waitMs, type Gcra, type Rate } from './gcra.ts';
import { createPlaces, type Places } from './places.ts';
import { KEYS, type KeyOf, type LimitSubject } from './limit-keys.ts';
import type { Counted, Limiter, QuotaVerdict } from './limiter.ts';

/**
 * One limit as configured: how often, or how many at a time. `per` says what has a bucket of its own; `server`, `tool` (a
 * name, or a pattern with `*` and `?`) and `risk` say which calls count.
 */
export type LimitRule = (Rate | { readonly concurrent: number }) & {
  readonly per: LimitSubject;
  readonly server?: string;
  readonly tool?: string;
  readonly risk?: Risk;
  /** As the operator wrote it, for messages: `60/minute per tool on files`. */
  readonly text: string;
};

export type LimiterOptions = {
  readonly rules: readonly LimitRule[];
  /** Milliseconds of a clock that never runs backwards. */
  readonly now: () => number;
  /** Buckets that one rule remembers. */
  readonly maxKeys?: number;
};

type Common = {
  readonly per: LimitSubject;
  readonly text: string;
  readonly counts: (entry: Entry) => boolean;
  /** What is counted are calls of tools. */
  readonly toolsOnly: boolean;
};
type RateLimit = Common & { readonly gcra: Gcra; readonly buckets: Buckets };
type PlaceLimit = Common & { readonly places: Places };

type Counting<L> = { readonly limit: L; readonly keyOf: KeyOf };
type Countings = { readonly rates: readonly Counting<RateLimit>[]; readonly places: readonly Counting<PlaceLimit>[] };

const ALLOWED: QuotaVerdict = { allowed: true };

const DEFAULT_MAX_KEYS = 100_000;

/** How long a call may be told to wait for a place: nobody knows when one of the others ends. */
const PLACE_RETRY_MS = 1_000;

/**
 * Takes one from every limit that counts the call, or from none when one of them is empty; `retryAfterMs` is then when
 * all of them would allow it, if nobody else comes first.
 *
 * @throws RangeError when a rate or a number makes no sense.
 */
export function createLimiter(options: LimiterOptions): Limiter {
  const { now, rules, maxKeys = DEFAULT_MAX_KEYS } = options;
  const rates = rules.flatMap((rule) => ('concurrent' in rule ? [] : [rateLimit(rule, maxKeys)]));
  const places = rules.flatMap((rule) => ('concurrent' in rule ? [placeLimit(rule)] : []));
  // Entries are replaced with their catalog snapshot, and what counts them with it.
  const countedBy = new WeakMap<Entry, Countings>();
  const buckets: Bucket[] = [];

  const countingFor = ({ entry, operation }: Counted): Countings => {
    // Asking after a task is no call of its tool, and is done again and again.
    if (operation.kind === 'task') {
      return {
        rates: countingOf(rates.filter(notOfTools), entry),
        places: countingOf(places.filter(notOfTools), entry),
      };
    }
    let counting = countedBy.get(entry);
    if (counting === undefined) {
      counting = { rates: countingOf(rates, entry), places: countingOf(places, entry) };
      countedBy.set(entry, counting);
    }
    return counting;
  };

  return {
    consume(counted) {
      const counting = countingFor(counted);
      // Places first: they can be given back, and what was taken from a bucket is gone.
      const held = counting.places.length === 0 ? ALLOWED : takePlaces(counting.places, counted);
      if (!held.allowed || counting.rates.length === 0) return held;
      const refused = takeAll(counting.rates, counted, { buckets, nowMs: now() });
      if (refused === undefined) return held;
      held.release?.();
      return refused;
    },
  };
}

const notOfTools = ({ toolsOnly }: Common): boolean => !toolsOnly;

const countingOf = <L extends Common>(limits: readonly L[], entry: Entry): readonly Counting<L>[] =>
  limits.filter((limit) => limit.counts(entry)).map((limit) => ({ limit, keyOf: KEYS[limit.per](entry) }));

type Taking = {
  /** Room to work in, kept between calls because this runs on every request. */ readonly buckets: Bucket[];
  readonly nowMs: number;
};

function takeAll(counting: Countings['rates'], counted: Counted, { buckets, nowMs }: Taking): QuotaVerdict | undefined {
  let retryAfterMs = 0;
  let empty: RateLimit | undefined;
  buckets.length = 0;
  for (const { limit, keyOf } of counting) {
    const bucket = limit.buckets.of(keyOf(counted), nowMs);
    buckets.push(bucket);
    const wait = waitMs(limit.gcra, bucket.tatMs, nowMs);
    if (wait > retryAfterMs) {
      retryAfterMs = wait;
      empty = limit;
    }
  }
  if (empty !== undefined) {
    const because = empty.per === 'call' ? 'repeated' : 'rate';
    return { allowed: false, retryAfterMs, limit: empty.text, because };
  }
  for (const [at, bucket] of buckets.entries()) {
    const rule = counting[at]?.limit.gcra;
    if (rule !== undefined) bucket.tatMs = taken(rule, bucket.tatMs, nowMs);
  }
  return undefined;
}

function takePlaces(counting: Countings['places'], counted: Counted): QuotaVerdict {
  const places: (() => void)[] = [];
  const release = (): void => {
    for (const give of places.splice(0)) give();
  };
  for (const { limit, keyOf } of counting) {
    const give = limit.places.take(keyOf(counted));
    if (give === undefined) {
      release();
      return { allowed: false, retryAfterMs: PLACE_RETRY_MS, limit: limit.text, because: 'in-flight' };
    }
    places.push(give);
  }
  return { allowed: true, release };
}

function rateLimit(rule: Extract<LimitRule, Rate>, maxKeys: number): RateLimit {
  return { ...common(rule), gcra: gcra(rule), buckets: createBuckets(maxKeys) };
}

function placeLimit(rule: Extract<LimitRule, { concurrent: number }>): PlaceLimit {
  return { ...common(rule), places: createPlaces(rule.concurrent) };
}

function common({ per, text, server, tool, risk }: LimitRule): Common {
  const toolsOnly = per === 'tool' || per === 'call' || tool !== undefined || risk !== undefined;
  return {
    per,
    text,
    toolsOnly,
    counts: (entry) =>
      (server === undefined || entry.server.id === server) &&
      (!toolsOnly || entry.kind === 'tool') &&
      (tool === undefined || globMatches(tool, entry.name)) &&
      (risk === undefined || entry.traits.risk === risk),
  };
}
