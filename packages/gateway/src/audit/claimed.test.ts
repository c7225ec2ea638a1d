import { describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import { purposeOf, runOf } from './claimed.ts';

describe('the run that a client claims', () => {
  it.each<[JsonObject, string | undefined]>([
    [{ 'io.sallyport/run': 'nightly-42' }, 'nightly-42'],
    [{ baggage: 'user=1, sallyport.run=nightly-42;ttl=1 ,x=y' }, 'nightly-42'],
    [{ baggage: 'run.id=a%20b' }, 'a b'],
    [{ baggage: 'run.id=%E0%A4%A' }, '%E0%A4%A'],
    [{ 'io.sallyport/run': 'mine', baggage: 'run.id=other' }, 'mine'],
    [{ 'io.sallyport/run': '' }, undefined],
    [{ 'io.sallyport/run': 42 }, undefined],
    [{ 'io.sallyport/run': { id: 'x' }, baggage: ['run.id=x'] }, undefined],
    [{ baggage: 'my.run.id=x' }, undefined],
    [{ baggage: `run.id=x,${'y'.repeat(9000)}` }, undefined],
    [{}, undefined],
  ])('in %j is %j', (vendor, run) => {
    expect(runOf(vendor)).toBe(run);
  });

  it('has a purpose only where it is text', () => {
    expect(purposeOf({ 'io.sallyport/purpose': 'Close the month' })).toBe('Close the month');
    expect(purposeOf({ 'io.sallyport/purpose': ['Close'] })).toBeUndefined();
  });
});
