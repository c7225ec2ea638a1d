/**
 * Which requests are traced, decided before anything is made for them: a span that is thrown away costs as much as one that
 * is kept. A caller's own wish to be traced is honoured only so often, because it could otherwise make the gateway trace
 * everything; and chance is ours, because a caller that chooses its trace id could choose one that is always taken.
 */

import type { TraceContext } from './trace-context.ts';

export type SamplingOptions = {
  /** The share of requests that are traced whatever their callers say: 0 to 1. */
  readonly ratio: number;
  /** Callers are believed: who says sampled is traced, who says not sampled is not. */
  readonly trustParent: boolean;
  /** Of requests that say sampled, so many in a second are traced when callers are not trusted. */
  readonly parentPerSecond: number;
  /** From 0 to below 1. */
  readonly random: () => number;
};

/** `nowMs` is monotonic. */
export type Sampling = (parent: TraceContext | undefined, nowMs: number) => boolean;

/** @throws RangeError for numbers that make no sense. */
export function createSampling({ ratio, trustParent, parentPerSecond, random }: SamplingOptions): Sampling {
  if (!(ratio >= 0 && ratio <= 1)) throw new RangeError('sampling: ratio must be from 0 to 1');
  if (!(parentPerSecond >= 0)) throw new RangeError('sampling: parentPerSecond must not be negative');
  let left = parentPerSecond;
  let filledMs: number | undefined;

  const takeOne = (nowMs: number): boolean => {
    const since = filledMs ?? nowMs;
    left = Math.min(parentPerSecond, left + (Math.max(0, nowMs - since) * parentPerSecond) / 1000);
    filledMs = Math.max(since, nowMs);
    if (left < 1) return false;
    left -= 1;
    return true;
  };

  return (parent, nowMs) => {
    if (parent !== undefined) {
      if (trustParent) return parent.sampled;
      if (parent.sampled && takeOne(nowMs)) return true;
    }
    return random() < ratio;
  };
}
