/**
 * How often each tool was called in the last minute, how it went and how long it took: for each tool and tenant a ring of
 * sixty seconds with counts, and one of seven times ten seconds with durations, which are more to add up. Two tenants never share a count, so that neither learns of the other's calls.
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
  /** Within 9 percent; of up to ten seconds more than the counts. */
  readonly p50Ms?: number;
  readonly p95Ms?: number;
};

export type RatesReport = {
  /** Calls in each of the last sixty seconds, the oldest first; the last one is still going on. */
  readonly history: readonly number[];
  readonly last10s: readonly Rate[];
  readonly last60s: readonly Rate[];
};

export type CallRatesOptions = {
  readonly clockMs: () => number;
  /** Tools, each for every tenant that calls it; 3 KB each. What comes later is counted together. */
  readonly maxRings?: number;
};

const SECONDS = 60;
const SHORT = 10;
/** Four steps between a power of two and the next, from 1/4 ms to 4.5 minutes. */
const STEPS_PER_POWER = 4;
const SHORTEST_MS = 0.25;
const STEPS = 80;
const CALLS = 0;
const ERRORS = 1;
const REFUSED = 2;
const WIDTH = 3;
const SPANS = 7;

type Ring = {
  readonly server: string;
  readonly tool: string;
  readonly tenant: TenantId;
  /** Which second each place is of, and what was counted in it. */
  readonly seconds: Int32Array;
  readonly counts: Uint32Array;
  /** The same of ten seconds each, with how long calls took. */
  readonly spans: Int32Array;
  readonly durations: Uint32Array;
};

export class CallRates {
  readonly #clockMs: () => number;
  readonly #maxRings: number;
  readonly #rings = new Map<string, Ring>();
  /** The ring that an entry was counted in last: most are of one tenant's callers. */
  #latest = new WeakMap<Entry, Ring>();

  #droppedIn = -1;
  readonly #startedMs: number;

  constructor({ clockMs, maxRings = 250 }: CallRatesOptions) {
    this.#clockMs = clockMs;
    this.#startedMs = clockMs();
    this.#maxRings = maxRings;
  }

  add(entry: Entry, tenant: TenantId, { became, durationMs }: Call): void {
    const latest = this.#latest.get(entry);
    const ring = latest?.tenant === tenant ? latest : this.#ringOf(entry, tenant);
    const second = Math.floor(this.#clockMs() / 1000);
    const at = WIDTH * turnedTo(second, ring.seconds, ring.counts);
    if (became === 'refused') {
      increase(ring.counts, at + REFUSED);
      return;
    }
    increase(ring.counts, at + CALLS);
    if (became === 'error') increase(ring.counts, at + ERRORS);
    const span = turnedTo(Math.floor(second / SHORT), ring.spans, ring.durations);
    increase(ring.durations, STEPS * span + stepOf(durationMs));
  }

  /** One pass over everything that is counted: about 2 ms for 250 busy tools. */
  report(tenant: TenantId | undefined): RatesReport {
    const clock = this.#clockMs();
    const now = Math.floor(clock / 1000);
    const history = new Uint32Array(SECONDS);
    const merged = new Map<string, { ring: Ring; ten: Sums; sixty: Sums }>();
    for (const ring of this.#rings.values()) {
      if (tenant !== undefined && ring.tenant !== tenant) continue;
      const key = `${ring.server}/${ring.tool}`;
      const sums = merged.get(key) ?? { ring, ten: noSums(), sixty: noSums() };
      merged.set(key, sums);
      addUp(ring, now, { ...sums, history });
    }
    const all = [...merged.values()];
    // The second that runs is counted as far as it has come, and nothing before there was anything to count.
    const ran = (seconds: number): number =>
      Math.max(1, Math.min(seconds - 1 + (clock % 1000) / 1000, (clock - this.#startedMs) / 1000));
    return {
      history: [...history],
      last10s: ordered(all.map(({ ring, ten }) => rateOf(ring, ten, ran(SHORT)))),
      last60s: ordered(all.map(({ ring, sixty }) => rateOf(ring, sixty, ran(SECONDS)))),
    };
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
  spans: new Int32Array(SPANS).fill(-1),
  durations: new Uint32Array(SPANS * STEPS),
});

/** The place of this second, or of this span, emptied of what was counted there one turn ago. */
function turnedTo(time: number, times: Int32Array, counts: Uint32Array): number {
  const place = time % times.length;
  if (times[place] !== time) {
    times[place] = time;
    const width = counts.length / times.length;
    counts.fill(0, place * width, (place + 1) * width);
  }
  return place;
}

const increase = (counts: Uint32Array, at: number): void => {
  counts[at] = (counts[at] ?? 0) + 1;
};

type Sums = { readonly counts: Uint32Array; readonly durations: Uint32Array };

const noSums = (): Sums => ({ counts: new Uint32Array(WIDTH), durations: new Uint32Array(STEPS) });

type AddedUp = { readonly ten: Sums; readonly sixty: Sums; readonly history: Uint32Array };

function addUp({ seconds, counts, spans, durations }: Ring, now: number, { ten, sixty, history }: AddedUp): void {
  for (let place = 0; place < SECONDS; place++) {
    const ago = now - (seconds[place] ?? -1);
    if (ago < 0 || ago >= SECONDS) continue;
    const at = place * WIDTH;
    history[SECONDS - 1 - ago] = (history[SECONDS - 1 - ago] ?? 0) + (counts[at + CALLS] ?? 0);
    addTo(sixty.counts, counts, at);
    if (ago < SHORT) addTo(ten.counts, counts, at);
  }
  const span = Math.floor(now / SHORT);
  for (let place = 0; place < SPANS; place++) {
    const ago = span - (spans[place] ?? -1);
    if (ago < 0 || ago >= SPANS) continue;
    addTo(sixty.durations, durations, place * STEPS);
    // The present span has only begun: with the one before it there are ten seconds at least.
    if (ago < 2) addTo(ten.durations, durations, place * STEPS);
  }
}

function addTo(sums: Uint32Array, counts: Uint32Array, at: number): void {
  for (let index = 0; index < sums.length; index++) sums[index] = (sums[index] ?? 0) + (counts[at + index] ?? 0);
}

/** Those that anything is told of, the most called first. */
const ordered = (rates: readonly Rate[]): readonly Rate[] =>
  rates
    .filter(({ calls, refused }) => calls + refused > 0)
    .toSorted((a, b) => b.calls - a.calls || b.refused - a.refused || (a.tool < b.tool ? -1 : 1));

function rateOf({ server, tool }: Ring, { counts, durations }: Sums, seconds: number): Rate {
  const [calls = 0, errors = 0, refused = 0] = counts;
  const p50Ms = calls === 0 ? undefined : percentile(durations, 0.5);
  const p95Ms = calls === 0 ? undefined : percentile(durations, 0.95);
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

function percentile(durations: Uint32Array, share: number): number | undefined {
  let total = 0;
  for (let step = 0; step < STEPS; step++) total += durations[step] ?? 0;
  let seen = 0;
  for (let step = 0; step < STEPS; step++) {
    seen += durations[step] ?? 0;
    // The middle of the step, by the ratio of its ends.
    if (seen >= share * total) return Number((SHORTEST_MS * 2 ** ((step - 0.5) / STEPS_PER_POWER)).toPrecision(3));
  }
  return undefined;
}
