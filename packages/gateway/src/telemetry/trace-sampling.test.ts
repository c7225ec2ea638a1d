import { describe, expect, it } from 'vitest';

import { createSampling, type SamplingOptions } from './trace-sampling.ts';

const PARENT = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
const YES = { ...PARENT, sampled: true };
const NO = { ...PARENT, sampled: false };

const never: SamplingOptions = { ratio: 0, trustParent: false, parentPerSecond: 2, random: () => 0 };

describe('sampling', () => {
  it('takes the share that was asked for', () => {
    let next = 0;
    const take = createSampling({ ...never, ratio: 0.25, random: () => (next++ % 100) / 100 });
    expect(Array.from({ length: 100 }, () => take(undefined, 0)).filter(Boolean)).toHaveLength(25);
  });

  it('at 0 takes nothing, and at 1 everything', () => {
    expect(createSampling(never)(undefined, 0)).toBe(false);
    expect(createSampling({ ...never, ratio: 1, random: () => 0.999_999 })(undefined, 0)).toBe(true);
  });

  it('honours callers that say sampled only so often in a second', () => {
    const take = createSampling(never);
    const taken = (nowMs: number): number =>
      Array.from({ length: 1000 }, () => take(YES, nowMs)).filter(Boolean).length;
    expect([taken(0), taken(1), taken(501), taken(10_000)]).toEqual([2, 0, 1, 2]);
  });

  it('honours none of them where none is to be honoured', () => {
    const take = createSampling({ ...never, parentPerSecond: 0 });
    expect([0, 1, 1_000_000].map((nowMs) => take(YES, nowMs))).toEqual([false, false, false]);
  });

  it('takes its share of callers that say not sampled, too, unless they are trusted', () => {
    expect(createSampling({ ...never, ratio: 1 })(NO, 0)).toBe(true);
    expect(createSampling({ ...never, ratio: 1, trustParent: true })(NO, 0)).toBe(false);
  });

  it('takes all that trusted callers sampled', () => {
    const take = createSampling({ ...never, trustParent: true });
    expect(Array.from({ length: 100 }, () => take(YES, 0)).every(Boolean)).toBe(true);
  });

  it('is not fooled by a clock that runs backwards', () => {
    const take = createSampling(never);
    expect([take(YES, 1000), take(YES, 1000), take(YES, 0), take(YES, 1000)]).toEqual([true, true, false, false]);
  });

  it.each([
    [{ ratio: -1 }, 'ratio'],
    [{ ratio: 2 }, 'ratio'],
    [{ ratio: Number.NaN }, 'ratio'],
    [{ parentPerSecond: -1 }, 'parentPerSecond'],
  ])('refuses %j', (options, named) => {
    expect(() => createSampling({ ...never, ...options })).toThrow(named);
  });
});
