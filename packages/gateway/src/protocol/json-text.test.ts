import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseJson } from './json-text.ts';

const limits = { maxDepth: 64 };
const failureOf = (text: string, maxDepth = 64) => {
  const parsed = parseJson(text, { maxDepth });
  return parsed.ok ? undefined : { code: parsed.error.code, message: parsed.error.message };
};

describe('parseJson', () => {
  it('reads whatever JSON.parse reads, when keys differ and numbers are safe', () => {
    const safe = fc.jsonValue({ maxDepth: 6 }).filter((value) => parseJson(JSON.stringify(value), limits).ok);
    fc.assert(
      fc.property(safe, fc.constantFrom(0, 1, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(parseJson(text, limits)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  it('agrees with JSON.parse on which texts are JSON at all', () => {
    const pieces = fc.array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '"a"',
        '"b"',
        '"\\""',
        '"\\\\"',
        '1',
        'null',
        ' ',
        '"',
        '\\',
        '-',
        'x',
      ),
      { maxLength: 14 },
    );
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = parts.join('');
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        const found = failureOf(text);
        expect(found === undefined || found.code === 'duplicate-key').toBe(valid);
        expect(found?.code !== 'parse-error' || /position \d+|ends before/.test(found.message ?? '')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses every object in which a key was written twice', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const members = fc.array(fc.tuple(key, fc.integer()), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(members, (pairs) => {
        const text = `{"outer":[{${pairs.map(([name, value]) => `"${name}" : ${value}`).join(',')}}]}`;
        const unique = new Set(pairs.map(([name]) => name)).size === pairs.length;
        expect(failureOf(text)?.code).toBe(unique ? undefined : 'duplicate-key');
      }),
    );
  });

  it.each([
    ['{"a":1,"a":2}', 'duplicate-key', 'a'],
    ['{"a":1,"\\u0061":2}', 'duplicate-key', 'a'],
    ['{"params":{"arguments":{"x y":1,"x y":1}}}', 'duplicate-key', 'params.arguments["x y"]'],
    ['{"list":[0,{"k":1},{"k":{"n":[1,2],"n":3}}]}', 'duplicate-key', 'list[2].k.n'],
    ['{"":1,"":2}', 'duplicate-key', '[""]'],
    ['{"n":1e400,"a":1,"a":2}', 'duplicate-key', 'a'],
    ['{"a":9007199254740993}', 'unsafe-number', 'a'],
    ['{"a":[1,-9007199254740993]}', 'unsafe-number', 'a[1]'],
    ['{"a":1e400}', 'unsafe-number', 'a'],
    ['{"a":100000000000000000000}', 'unsafe-number', 'a'],
    ['12345678901234567890', 'unsafe-number', 'the body'],
    ['{"a":{"__proto__":{"admin":true}}}', 'parse-error', 'at a'],
    ['{"\\u005f_proto__":1}', 'parse-error', 'at the top'],
    ['{"a":}', 'parse-error', 'position 5'],
    ['{"a":1', 'parse-error', 'it ends before'],
    ['["ab\nc"]', 'parse-error', 'position 4'],
    ['["\\x"]', 'parse-error', 'position 3'],
    ['[1,]', 'parse-error', 'position 3'],
    ['[1 2]', 'parse-error', 'position 3'],
    ['{"a" 1}', 'parse-error', 'position 5'],
    ['{a:1}', 'parse-error', 'position 1'],
    ['[nul]', 'parse-error', 'position 1'],
    ['[1]]', 'parse-error', 'position 3'],
    ['[}', 'parse-error', 'position 1'],
    ['', 'parse-error', 'it ends before'],
    ['{"a":01}', 'parse-error', 'position 6'],
    ['\ufeff{}', 'parse-error', 'position 0'],
    ['{"a":1} {}', 'parse-error', 'position 8'],
  ])('refuses %s as %s and says where', (text, code, where) => {
    const found = failureOf(text);
    expect(found?.code).toBe(code);
    expect(found?.message).toContain(where);
  });

  it.each([
    '9007199254740991',
    '-9007199254740991',
    '0.1',
    '-0',
    '1e3',
    '"\\ud800"',
    'null',
    '{"constructor":1,"toString":2}',
  ])('accepts %s', (text) => {
    expect(parseJson(text, limits)).toEqual({ ok: true, value: JSON.parse(text) });
  });

  it('counts depth before it parses, and only outside of strings', () => {
    expect(failureOf('[[[]]]', 3)).toBeUndefined();
    expect(failureOf('[[[[]]]]', 3)?.code).toBe('too-deep');
    expect(failureOf('{"a":{"b":{"c":{}}}}', 3)?.code).toBe('too-deep');
    expect(failureOf('["[[[[[[", "\\"[[[["]', 1)).toBeUndefined();
    expect(failureOf('['.repeat(1_000_000), 64)?.code).toBe('too-deep');
  });

  it('finds the end of long strings whatever escapes they hold', () => {
    const text = fc.string({ unit: fc.constantFrom('\\', '"', 'a', '\n', ':', '{', '€'), maxLength: 200 });
    fc.assert(
      fc.property(text, (value) => {
        expect(parseJson(JSON.stringify({ key: value, other: ':' }), { maxDepth: 1 }).ok).toBe(true);
      }),
    );
  });

  it('quotes nothing of a broken body, which may hold a secret', () => {
    expect(failureOf('{"password":"hunter2",}')?.message).not.toContain('hunter2');
  });
});
