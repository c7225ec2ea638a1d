import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { editDistance, nearestName } from './nearest-name.ts';

describe('nearestName', () => {
  it.each([
    ['pth', ['path', 'recursive'], 'path'],
    ['Path', ['path'], 'path'],
    ['apth', ['path', 'a'], 'path'],
    ['read_tetx_file', ['read_file', 'read_text_file', 'write_file'], 'read_text_file'],
    ['publicURL', ['publicUrl', 'public'], 'publicUrl'],
    ['rat', ['rate', 'bat'], 'rate'],
  ])('takes %s for one of %j: %s', (name, candidates, nearest) => {
    expect(nearestName(name, candidates)).toBe(nearest);
  });

  it.each([
    ['zebra', ['path', 'recursive']],
    ['a', ['b', 'c']],
    ['', ['path']],
    ['x'.repeat(65), ['x'.repeat(64)]],
    ['path', []],
  ])('suggests nothing for %s among %j', (name, candidates) => {
    expect(nearestName(name, candidates)).toBeUndefined();
  });
});

describe('editDistance', () => {
  const word = string({ maxLength: 12 });

  it('is zero for equal words only, and symmetric', () => {
    assert(
      property(word, word, (one, other) => {
        expect(editDistance(one, other) === 0).toBe(one === other);
        expect(editDistance(one, other)).toBe(editDistance(other, one));
        expect(editDistance(one, other)).toBeLessThanOrEqual(Math.max(one.length, other.length));
      }),
    );
  });

  it('counts a swap of neighbours as one', () => {
    expect(editDistance('path', 'ptah')).toBe(1);
  });
});
