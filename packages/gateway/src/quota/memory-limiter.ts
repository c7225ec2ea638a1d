/** The limits of the configuration, in memory: exact for one replica. */

import { globMatches } from '../model/glob.ts';
import { DEFAULT_TENANT, type Principal } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';
import { createBuckets, type Bucket, type Buckets } from './buckets.ts';
import { gcra, taken, waitMs, type Gcra, type Rate } from './gcra.ts';
import type { Limiter, QuotaVerdict } from './limiter.ts';

/**
 * One limit as configured. `per` says what has a bucket of its own; `server` and `tool` (a name, or a pattern with `*` and `?`)
 * say which calls count. Every bucket belongs to one tenant: tenants never use up each other's.
 */
export type LimitRule = Rate & {
  readonly per: 'principal' | 'tool' | 'server' | 'tenant' | 'client';
  readonly server?: string;
  readonly tool?: string;
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

type Limit = {
  readonly gcra: Gcra;
  readonly buckets: Buckets;
  readonly limit: string;
  readonly counts: (entry: Entry) => boolean;
  readonly keyFor: (entry: Entry) => KeyOf;
};

/** Whose bucket, for one entry: what depends on the entry alone is worked out once. */
type KeyOf = (principal: Principal) => string;

type Counting = { readonly limit: Limit; readonly keyOf: KeyOf };

const ALLOWED: QuotaVerdict = { allowed: true };

const DEFAULT_MAX_KEYS = 100_000;

/**
 * Takes one from every limit that counts the call, or from none when one of them is empty; `retryAfterMs` is then when
 * all of them would allow it, if nobody else comes first.
 *
 * @throws RangeError when a rate makes no sense.
 */
export function createLimiter(options: LimiterOptions): Limiter {
  const { now } = options;
  const limits = options.rules.map((rule) => limitOf(rule, options.maxKeys ?? DEFAULT_MAX_KEYS));
  // Entries are replaced with their catalog snapshot, and what counts them with it.
  const countedBy = new WeakMap<Entry, readonly Counting[]>();
  const buckets: Bucket[] = [];

  return {
    consume(principal, entry) {
      let counting = countedBy.get(entry);
      if (counting === undefined) {
        counting = limits
          .filter((limit) => limit.counts(entry))
          .map((limit) => ({ limit, keyOf: limit.keyFor(entry) }));
        countedBy.set(entry, counting);
      }
      if (counting.length === 0) return ALLOWED;
      return takeAll(counting, principal, buckets, now());
    },
  };
}

/** `buckets` is room to work in, kept between calls because this runs on every request. */
function takeAll(counting: readonly Counting[], principal: Principal, buckets: Bucket[], nowMs: number): QuotaVerdict {
  let retryAfterMs = 0;
  let reason = '';
  buckets.length = 0;
  for (const { limit, keyOf } of counting) {
    const bucket = limit.buckets.of(keyOf(principal), nowMs);
    buckets.push(bucket);
    const wait = waitMs(limit.gcra, bucket.tatMs, nowMs);
    if (wait > retryAfterMs) {
      retryAfterMs = wait;
      reason = limit.limit;
    }
  }
  if (retryAfterMs > 0) return { allowed: false, retryAfterMs, limit: reason };
  for (const [at, bucket] of buckets.entries()) {
    const rule = counting[at]?.limit.gcra;
    if (rule !== undefined) bucket.tatMs = taken(rule, bucket.tatMs, nowMs);
  }
  return ALLOWED;
}

function limitOf(rule: LimitRule, maxKeys: number): Limit {
  const pattern = rule.tool;
  const toolsOnly = rule.per === 'tool' || pattern !== undefined;
  return {
    gcra: gcra(rule),
    buckets: createBuckets(maxKeys),
    limit: rule.text,
    keyFor: KEYS[rule.per],
    counts: (entry) =>
      (rule.server === undefined || entry.server.id === rule.server) &&
      (!toolsOnly || entry.kind === 'tool') &&
      (pattern === undefined || globMatches(pattern, entry.name)),
  };
}

/** No server id contains a colon, so no key of the default tenant looks like another tenant's. */
const inTenant = (principal: Principal, rest: string): string =>
  principal.tenant === DEFAULT_TENANT ? rest : `${principal.tenant.length}:${principal.tenant}/${rest}`;

const principalKeyOf: KeyOf = (principal) => principal.key;
const tenantOf: KeyOf = (principal) => principal.tenant;

/** A token without a client, and an API key, are their own client: what a client says of itself is no ground to count by. */
const clientOf: KeyOf = ({ key, tenant, issuer, clientId }) =>
  clientId === undefined ? key : `${tenant.length}:${tenant}/${issuer.length}:${issuer}/client/${clientId}`;

const KEYS: Record<LimitRule['per'], (entry: Entry) => KeyOf> = {
  principal: () => principalKeyOf,
  tenant: () => tenantOf,
  client: () => clientOf,
  server:
    ({ server }) =>
    (principal) =>
      inTenant(principal, server.id),
  tool: ({ server, name }) => {
    const address = `${server.id}/${name}`;
    return (principal) => inTenant(principal, address);
  },
};
