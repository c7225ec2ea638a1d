import { array, assert, constantFrom, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { globMatches } from './glob.ts';

describe('globMatches', () => {
  it.each([
    ['read_*', 'read_file', true],
    ['read_*', 'read_', true],
    ['*', '', true],
    ['*', 'x', true],
    ['', '', true],
    ['', 'x', false],
    ['*_file', 'read_file', true],
    ['r*_*e', 'read_file', true],
    ['r*x*e', 'read_file', false],
    ['a*a', 'a', false],
    ['*ab*ab', 'abab', true],
    ['*ab*ab', 'ab', false],
    ['read_file', 'read_files', false],
    ['re.d', 'read', false],
    ['re?d', 'read', true],
    ['read?', 'read', false],
    ['READ', 'read', false],
    ['read_*', 'xread_file', false],
    ['r*d*e', 'read_file', true],
    ['r*d*e', 'read_fil', false],
    ['?', 'a', true],
    ['?', '', false],
    ['a*?c', 'ac', false],
    ['*a*', 'bbb', false],
    ['**', 'x', true],
    [`${'a*'.repeat(30)}b`, 'a'.repeat(5000), false],
  ])('%s and %s: %s', (pattern, name, matches) => {
    expect(globMatches(pattern, name)).toBe(matches);
  });

  it('agrees with a regular expression', () => {
    const word = (letters: readonly string[]) => array(constantFrom(...letters), { maxLength: 8 });
    assert(
      property(word(['a', 'b', '*', '?']), word(['a', 'b']), (pattern, name) => {
        const expression = new RegExp(`^${pattern.join('').replaceAll('*', '.*').replaceAll('?', '.')}$`, 'u');
        expect(globMatches(pattern.join(''), name.join(''))).toBe(expression.test(name.join('')));
      }),
      { numRuns: 2000 },
    );
  });
});
