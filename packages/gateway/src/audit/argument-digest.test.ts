import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { digestOf } from './argument-digest.ts';

describe('the digest of arguments', () => {
  it('is SHA-256 over canonical JSON, so the order of keys does not matter', () => {
    // printf '{"a":[1,"€"],"b":{"c":true,"d":null}}' | sha256sum
    const expected = 'sha256:b42fc5b5547c30ec0b7a4b3633037f3da591a73bc6a325f9049e80d2f702cfb6';
    expect(digestOf({ b: { d: null, c: true }, a: [1, '€'] })).toBe(expected);
    expect(digestOf({ a: [1, '€'], b: { c: true, d: null } })).toBe(expected);
  });

  it('agrees with a plain canonical serialization of any JSON', async () => {
    const { createHash } = await import('node:crypto');
    const canonical = (value: unknown): string => {
      if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
      if (typeof value !== 'object' || value === null) return JSON.stringify(value);
      const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
      return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`;
    };
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const args = JSON.parse(JSON.stringify(value)) as never;
        const expected = createHash('sha256').update(canonical(args)).digest('hex');
        expect(digestOf(args)).toBe(`sha256:${expected}`);
      }),
    );
  });

  const bounds = { maxChars: 1000, maxSortedKeys: 50, maxDepth: 20 };
  let nested: object = {};
  for (let depth = 0; depth < 10_000; depth++) nested = { nested };
  const large: readonly [string, object][] = [
    ['a long string', { text: 'x'.repeat(5_000_000) }],
    ['many keys', Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, index]))],
    ['a long list', { list: Array.from({ length: 100_000 }, () => 1) }],
    ['deep nesting', nested],
  ];

  it.each(large)('of %s covers how they begin, says so, and is the same each time', (_, value) => {
    const args = value as never;
    expect(digestOf(args, bounds)).toMatch(/^sha256-first-1000:[0-9a-f]{64}$/);
    expect(digestOf(args, bounds)).toBe(digestOf(args, bounds));
  });
});
