/**
 * Percentiles of durations in bounded memory: one count for each millisecond below 128, then 64 steps between a power of
 * two and the next. What it answers is exact below 128 ms, and above within 0.8 percent.
 */

const EXACT_BELOW_MS = 128;
const STEPS = 64;
const MAX_MS = 2 ** 31 - 1;

export class DurationSketch {
  /** Bounded: no duration has a step above 1,700. */
  readonly #counts = new Map<number, number>();
  #count = 0;

  add(ms: number): void {
    const step = stepOf(Math.min(MAX_MS, Math.max(0, Math.round(ms))));
    this.#counts.set(step, (this.#counts.get(step) ?? 0) + 1);
    this.#count += 1;
  }

  /** The smallest duration that so much of all (`0.95`) is not above; undefined where there is none. */
  percentile(share: number): number | undefined {
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (const [step, count] of [...this.#counts].toSorted(([a], [b]) => a - b)) {
      seen += count;
      if (seen >= rank) return middleOf(step);
    }
    return undefined;
  }
}

function stepOf(ms: number): number {
  if (ms < EXACT_BELOW_MS) return ms;
  const power = 31 - Math.clz32(ms);
  return EXACT_BELOW_MS + (power - 7) * STEPS + (Math.floor(ms / 2 ** (power - 6)) - STEPS);
}

function middleOf(step: number): number {
  if (step < EXACT_BELOW_MS) return step;
  const power = Math.floor((step - EXACT_BELOW_MS) / STEPS) + 7;
  const width = 2 ** (power - 6);
  return Math.round((((step - EXACT_BELOW_MS) % STEPS) + STEPS) * width + (width - 1) / 2);
}
