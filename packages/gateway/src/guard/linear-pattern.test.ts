import { array, assert, constantFrom, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compilePattern } from './linear-pattern.ts';

function pattern(source: string) {
  const compiled = compilePattern(source);
  if (!compiled.ok) throw new Error(compiled.error);
  return compiled.value;
}

describe('a pattern', () => {
  it.each([
    ['^(a+)+$', true],
    ['^(?!\\.)(?!.*\\.\\.)[a-z.]+$', true],
    ['^(?=.*[A-Z])(?=.*\\d).{8,}$', true],
    ['\\u0041', true],
    ['(?<year>\\d{4})', true],
    ['[^]', true],
    ['a(?!b)', false],
    ['(a)\\1', false],
    ['(?<=a)b', false],
    ['^(?!a)b|c', false],
    ['^(?!a)*b', false],
    // Of letters escaped without a meaning, RE2 has its own idea.
    ['\\zx', false],
    ['\\Qx', false],
  ])('%s is linear: %s', (source, linear) => {
    expect(pattern(source).linear).toBe(linear);
  });

  it.each(['(', '[', 'a**', '\\'])('%s is none', (source) => {
    expect(compilePattern(source)).toMatchObject({ ok: false });
  });

  const SOURCES = [
    '^(?!ab)[ab1-]+$',
    '^(?=.*1)(?!.*--)[ab1-]*$',
    '^(?!a|b)(?=[^)]*$).+',
    '(a+)+b',
    '^\\w+\\-\\d*$',
    '[\\]a-]{2,3}$',
    '^(?:a|ab)(?:c|bcd)?$',
    'a(?!b)',
    '^[^\\s-]{1,4}$',
    '^$|^a',
    '\\u0061\\x62',
    '(?:)',
  ];
  it('says the same as the engine of the language', () => {
    assert(
      property(
        constantFrom(...SOURCES),
        array(constantFrom('a', 'b', 'c', '1', '-', ']', ' ', ')', 'é', '😀'), { maxLength: 7 }),
        (source, letters) => {
          const text = letters.join('');
          const expression = new RegExp(source, source.includes('\\-') ? '' : 'u');
          expect(pattern(source).test(text), `${source} on ${text}`).toBe(expression.test(text));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
