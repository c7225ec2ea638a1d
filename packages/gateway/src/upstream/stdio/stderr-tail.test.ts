import { describe, expect, it } from 'vitest';
import { createStderrTail, createTextCleaner } from './stderr-tail.ts';

const tailOf = (text: string, maxLines = 3): readonly string[] => {
  const tail = createStderrTail({ maxLines, maxLineBytes: 50, secrets: [], onLine: () => undefined });
  tail.push(Buffer.from(text));
  return tail.lines();
};

describe('the last lines of stderr', () => {
  it('are kept up to a bound, the oldest dropped first', () => {
    expect(tailOf('one\ntwo\n\nthree\nfour\n')).toEqual(['two', 'three', 'four']);
  });

  it('since a moment are those that were written after it, and the last one needs no newline', () => {
    const tail = createStderrTail({ maxLines: 3, maxLineBytes: 50, secrets: [], onLine: () => undefined });
    tail.push(Buffer.from('before\n'));
    const mark = tail.mark();
    expect(tail.since(mark)).toEqual([]);
    tail.push(Buffer.from('one\ntwo'));
    expect(tail.since(mark)).toEqual(['one']);
    tail.end();
    expect(tail.since(mark)).toEqual(['one', 'two']);
    tail.push(Buffer.from('three\nfour\n'));
    expect(tail.since(mark)).toEqual(['two', 'three', 'four']);
  });

  it('hold the beginning of a line that is too long', () => {
    expect(tailOf(`${'x'.repeat(80)}\n`)).toEqual(['x'.repeat(50)]);
  });
});

describe('text of an untrusted process', () => {
  const clean = (text: string): string => createTextCleaner(['s3cr3t-value', 'info'])(Buffer.from(text));

  it.each([
    ['a secret', 'key=s3cr3t-value!', 'key=[redacted]!'],
    ['a secret that was cut', 'key=s3cr3t-va', 'key=[redacted]'],
    ['colours', '\u001b[31mred\u001b[0m', 'red'],
    ['controls and marks that turn text around', 'a\u0007b\u202ec', 'a b c'],
  ])('is shown without %s', (_what, text, shown) => {
    expect(clean(text)).toBe(shown);
  });

  it('keeps words that are short values of the environment', () => {
    expect(clean('level info')).toBe('level info');
  });
});
