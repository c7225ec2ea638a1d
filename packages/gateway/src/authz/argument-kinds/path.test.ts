import { posix } from 'node:path';

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { judgePath } from './path.ts';

const seen = (text: string, base?: string): string | undefined => {
  const result = judgePath(text, base);
  return result.ok ? result.value : undefined;
};

const why = (text: string): string => {
  const result = judgePath(text, undefined);
  return result.ok ? '' : result.error;
};

describe('a path in its one spelling', () => {
  it.each([
    ['/srv/data/report.txt'],
    ['/'],
    ['notes/2026/november.md'],
    ['.'],
    ['/srv/data/.hidden'],
    ['/srv/data/a..b/c.'],
    ['/srv/data/Größe 50% off.txt'],
    ['/srv/data/中文/ファイル。txt'],
    ['/srv/data/-rf'],
  ])('is what policy sees: %s', (text) => expect(seen(text)).toBe(text));

  it.each([
    ['a/b', '/srv/data', '/srv/data/a/b'],
    ['.', '/srv/data', '/srv/data'],
    ['/etc/hosts', '/srv/data', '/etc/hosts'],
    ['a', '/', '/a'],
  ])('is seen below the base when it is relative: %s below %s', (text, base, absolute) =>
    expect(seen(text, base)).toBe(absolute),
  );
});

describe('a path that could be read in two ways is refused', () => {
  it.each([
    // Climbing, and forms in which a link may stand before the dots.
    ['/srv/data/../../etc/passwd', '".."'],
    ['/srv/data/link/../../etc', '".."'],
    ['../etc', '".."'],
    ['a/..', '".."'],
    ['..', '".."'],
    ['/..', '".."'],
    // Other spellings of the same.
    ['/srv/data/./a', 'dots alone'],
    ['./a', 'dots alone'],
    ['/srv/data/...', 'dots alone'],
    ['/srv/data/.. /etc', 'dots alone'],
    ['/srv//data', '"//"'],
    ['//srv/data', '"//"'],
    ['/srv/data/', 'ends in "/"'],
    ['', 'empty'],
    [' /srv/data', 'space'],
    ['/srv/data ', 'space'],
    ['\u3000etc', 'space'],
    // Encoded once, twice, overlong, and in the manner of old servers.
    ['/srv/data/%2e%2e/etc', 'percent-encoding'],
    ['/srv/data/%2E%2E/etc', 'percent-encoding'],
    ['/srv/data%2f..%2fetc', 'percent-encoding'],
    ['/srv/data/%252e%252e/etc', 'percent-encoding'],
    ['/srv/data/%5c..', 'percent-encoding'],
    ['/srv/data/%c0%ae%c0%ae/etc', 'percent-encoding'],
    ['/srv/data/%u002e%u002e/etc', 'percent-encoding'],
    ['/srv/data/%73ecret', 'percent-encoding'],
    // What other systems take for a separator, a home, a drive or a URL.
    ['/srv/data\\..\\etc', 'backslash'],
    ['..\\etc', 'backslash'],
    ['~/x', '"~"'],
    ['~root/x', '"~"'],
    ['C:/Windows', 'drive'],
    ['file:/etc/passwd', 'URL scheme'],
    // What cannot be seen, and what only looks alike.
    ['/srv/data/a\0.txt', 'invisible'],
    ['/srv/data/a\nb', 'invisible'],
    ['/srv/data/.\u200c./etc', 'invisible'],
    ['/srv/data/\u202etxt', 'invisible'],
    ['/srv/data/\ud800', 'invisible'],
    ['/srv/data/\uff0e\uff0e/etc', 'look like'],
    ['/srv/data\uff0f..', 'look like'],
    ['/srv/data\u2215x', 'look like'],
    ['/srv/data/\u2025/etc', 'look like'],
    ['/srv/data/cafe\u0301', 'NFC'],
    // Beyond what a kernel takes, where some programs cut.
    [`/${'a'.repeat(256)}`, '255 bytes'],
    [`/${'a/'.repeat(2_500)}a`, '4095 bytes'],
  ])('%j', (text, reason) => {
    expect(why(text)).toContain(reason);
  });

  it('with a reason that holds nothing of it', () => {
    expect(why('/srv/data/../s3cr3t')).not.toContain('s3cr3t');
  });
});

/** Made of what paths are attacked with, and of plain names. */
const pieces = fc.constantFrom(
  '/',
  '/',
  '.',
  '..',
  'a',
  'srv',
  'data',
  'b c',
  '~',
  '%2e',
  '%2f',
  '\\',
  '\0',
  '．',
  '／',
  ' ',
  ':',
  '…',
);
const texts = fc.oneof(
  fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
  fc.array(pieces, { maxLength: 12 }).map((parts) => `/srv/data/${parts.join('')}`),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
);
const bases = fc.constantFrom('/', '/srv/data', '/srv/data/deep/er', '/home/x', '/srv/database');

describe('no accepted path leaves the prefix that a policy admitted', () => {
  it('whoever resolves it, from wherever', () => {
    fc.assert(
      fc.property(texts, bases, (text, elsewhere) => {
        const path = seen(text);
        if (path === undefined) return;
        expect(path).toBe(text);
        if (path.startsWith('/srv/data/')) expect(posix.resolve(elsewhere, text)).toBe(path);
      }),
      { numRuns: 5_000 },
    );
  });

  it('also where it is relative to a base, or decoded and compatibility-normalised first', () => {
    fc.assert(
      fc.property(texts, bases, (text, base) => {
        const path = seen(text, base);
        if (path === undefined) return;
        expect(posix.resolve(base, text)).toBe(path);
        expect(posix.resolve(base, text.normalize('NFKC'))).toBe(path.normalize('NFKC'));
        if (!text.startsWith('/') && base !== '/') expect(path === base || path.startsWith(`${base}/`)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});
