/**
 * How often each tool was called in the last minute, how it went and how long it took: a ring of sixty seconds for each tool
 * and tenant. Two tenants never share a count, so that neither learns of the other's calls.
 */

import type { TenantId } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';

type Call = { readonly became: 'ok' | 'error' | 'refused'; readonly durationMs: number };

/** Of one tool, within the seconds that were asked for. */
export type Rate = {
  readonly server: string;
  readonly tool: string;
  /** Refused ones left out. */
  readonly calls: number;
  readonly errors: number;
  readonly refused: number;
  readonly perSecond: number;
  /** Within 9 percent. */
  readonly p50Ms?: number;
  readonly p95Ms?: number;
};

export type CallRatesOptions = {
  readonly clockMs: () => number;
  /** Tools, each for every tenant that calls it; 20 KB each. What comes later is counted together. */
  readonly maxRings?: number;
};

const SECONDS = 60;
/** Four steps between a power of two and the next, from 1/4 ms to 4.5 minutes. */
const STEPS_PER_POWER = 4;
const SHORTEST_MS = 0.25;
const STEPS = 80;
const CALLS = 0;
const ERRORS = 1;
const REFUSED = 2;
const DURATIONS = 3;
const WIDTH = DURATIONS + STEPS;

type Ring = {
  readonly server: string;
  readonly tool: string;
  readonly tenant: TenantId;
  /** Which second each place is of. */
  readonly seconds: Int32Array;
  readonly counts: Uint32Array;
};

export class CallRates {
  readonly #clockMs: () => number;
  readonly #maxRings: number;
  readonly #rings = new Map<string, Ring>();
  /** The ring that an entry was counted in last: most are of one tenant's callers. */
  #latest = new WeakMap<Entry, Ring>();

  #droppedIn = -1;
  readonly #startedMs: number;

  constructor({ clockMs, maxRings = 400 }: CallRatesOptions) {
    this.#clockMs = clockMs;
    this.#startedMs = clockMs();
    this.#maxRings = maxRings;
  }

  add(entry: Entry, tenant: TenantId, { became, durationMs }: Call): void {
    const latest = this.#latest.get(entry);
    const ring = latest?.tenant === tenant ? latest : this.#ringOf(entry, tenant);
    const second = Math.floor(this.#clockMs() / 1000);
    const place = second % SECONDS;
    const at = place * WIDTH;
    const { seconds, counts } = ring;
    if (seconds[place] !== second) {
      seconds[place] = second;
      counts.fill(0, at, at + WIDTH);
    }
    if (became === 'refused') {
      increase(counts, at + REFUSED);
      return;
    }
    increase(counts, at + CALLS);
    if (became === 'error') increase(counts, at + ERRORS);
    increase(counts, at + DURATIONS + stepOf(durationMs));
  }

  /** The most called first. */
  over(seconds: number, tenant: TenantId | undefined): readonly Rate[] {
    const clock = this.#clockMs();
    const now = Math.floor(clock / 1000);
    // The second that runs is counted as far as it has come, and nothing before there was anything to count.
    const ran = Math.max(1, Math.min(seconds - 1 + (clock % 1000) / 1000, (clock - this.#startedMs) / 1000));
    const merged = new Map<string, { ring: Ring; sums: Uint32Array }>();
    for (const ring of this.#rings.values()) {
      if (tenant !== undefined && ring.tenant !== tenant) continue;
      const key = `${ring.server}/${ring.tool}`;
      const { sums } = merged.get(key) ?? { sums: new Uint32Array(WIDTH) };
      addUp(ring, sums, { since: now - seconds + 1, until: now });
      merged.set(key, { ring, sums });
    }
    return [...merged.values()]
      .filter(({ sums }) => (sums[CALLS] ?? 0) + (sums[REFUSED] ?? 0) > 0)
      .map(({ ring, sums }) => rateOf(ring, sums, ran))
      .toSorted((a, b) => b.calls - a.calls || b.refused - a.refused || (a.tool < b.tool ? -1 : 1));
  }

  /** Calls in each of the last sixty seconds, the oldest first; the last one is still going on. */
  history(tenant: TenantId | undefined): readonly number[] {
    const now = Math.floor(this.#clockMs() / 1000);
    const calls = Array.from({ length: SECONDS }, () => 0);
    for (const ring of this.#rings.values()) {
      if (tenant !== undefined && ring.tenant !== tenant) continue;
      for (const [place, second] of ring.seconds.entries()) {
        const index = SECONDS - 1 - (now - second);
        if (index >= 0 && index < SECONDS)
          calls[index] = (calls[index] ?? 0) + (ring.counts[place * WIDTH + CALLS] ?? 0);
      }
    }
    return calls;
  }

  #ringOf(entry: Entry, tenant: TenantId): Ring {
    const key = `${tenant.length}:${tenant}/${entry.server.id}/${entry.name}`;
    const known = this.#rings.get(key) ?? this.#newRing(key, entry, tenant);
    this.#latest.set(entry, known);
    return known;
  }

  #newRing(key: string, entry: Entry, tenant: TenantId): Ring {
    if (this.#rings.size >= this.#maxRings) this.#dropIdle();
    if (this.#rings.size < this.#maxRings) return this.#keep(key, entry.server.id, entry.name, tenant);
    // What finds no place is kept apart by its tenant still.
    const other = `${tenant.length}:${tenant}/_OTHER`;
    const known = this.#rings.get(other);
    if (known !== undefined) return known;
    // As many tenants as there are rings at most: then the last one's is counted nowhere anybody else looks.
    return this.#rings.size < 2 * this.#maxRings
      ? this.#keep(other, '_OTHER', '_OTHER', tenant)
      : newRing('', '', tenant);
  }

  #keep(key: string, server: string, tool: string, tenant: TenantId): Ring {
    const ring = newRing(server, tool, tenant);
    this.#rings.set(key, ring);
    return ring;
  }

  /** At most once a second: it looks at every place of every ring. */
  #dropIdle(): void {
    const now = Math.floor(this.#clockMs() / 1000);
    if (this.#droppedIn === now) return;
    this.#droppedIn = now;
    const since = now - SECONDS;
    for (const [key, { seconds }] of this.#rings) {
      if (seconds.every((second) => second < since)) this.#rings.delete(key);
    }
    this.#latest = new WeakMap();
  }
}

const newRing = (server: string, tool: string, tenant: TenantId): Ring => ({
  server,
  tool,
  tenant,
  seconds: new Int32Array(SECONDS).fill(-1),
  counts: new Uint32Array(SECONDS * WIDTH),
});

const increase = (counts: Uint32Array, at: number): void => {
  counts[at] = (counts[at] ?? 0) + 1;
};

function addUp(ring: Ring, sums: Uint32Array, { since, until }: { since: number; until: number }): void {
  for (const [place, second] of ring.seconds.entries()) {
    if (second < since || second > until) continue;
    for (let index = 0; index < WIDTH; index++) {
      sums[index] = (sums[index] ?? 0) + (ring.counts[place * WIDTH + index] ?? 0);
    }
  }
}

function rateOf({ server, tool }: Ring, sums: Uint32Array, seconds: number): Rate {
  const [calls = 0, errors = 0, refused = 0] = sums;
  const p50Ms = percentile(sums, calls, 0.5);
  const p95Ms = percentile(sums, calls, 0.95);
  return {
    server,
    tool,
    calls,
    errors,
    refused,
    perSecond: Number((calls / seconds).toFixed(2)),
    ...(p50Ms === undefined ? {} : { p50Ms }),
    ...(p95Ms === undefined ? {} : { p95Ms }),
  };
}

const stepOf = (ms: number): number =>
  ms <= SHORTEST_MS ? 0 : Math.min(STEPS - 1, Math.ceil(STEPS_PER_POWER * Math.log2(ms / SHORTEST_MS)));

function percentile(sums: Uint32Array, calls: number, share: number): number | undefined {
  if (calls === 0) return undefined;
  const rank = Math.ceil(share * calls);
  let seen = 0;
  for (let step = 0; step < STEPS; step++) {
    seen += sums[DURATIONS + step] ?? 0;
    // The middle of the step, by the ratio of its ends.
    if (seen >= rank) return Number((SHORTEST_MS * 2 ** ((step - 0.5) / STEPS_PER_POWER)).toPrecision(3));
  }
  return undefined;
}
