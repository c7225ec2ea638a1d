import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import type { JsonObject } from '../../model/json.ts';
import { PERSONAL_DATA, type BodyOf } from '../../model/redaction.ts';
import { createRedactor, createRedactText } from './create-redactor.ts';
import { boundedCopy, closedJson, cutText } from './cut-json.ts';
import { JWT, ORDINARY, PEM, PEOPLE, SECRETS } from './secrets.fixture.ts';

const personal = PERSONAL_DATA.filter((kind) => kind !== 'ip');
const of: BodyOf = { server: 'files', name: 'write_file', part: 'arguments' };
const redactor = createRedactor({
  personal,
  patterns: [{ name: 'badge', regex: '\\bB-[0-9]{4}\\b' }],
  tools: [
    { tool: 'files/*', arguments: ['/content', 'nested.*.note'], result: [], withheld: [] },
    { tool: 'vault/read', arguments: [], result: [], withheld: ['result'] },
  ],
});
afterAll(() => redactor.close());

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const MAX = 65_536;

describe('redaction of a body', () => {
  it('finds every fixture in strings wherever they lie, and in the names of members', async () => {
    for (const [text, secret] of [...SECRETS, ...PEOPLE.map(([one, , two]) => [one, two] as const)]) {
      const body: JsonObject = { list: [{ deep: { text } }], [`name ${text}`]: 1, twice: JSON.stringify({ text }) };
      const { value, rules } = await redactor.body(body, of);
      expect(JSON.stringify(value), text).not.toContain(JSON.stringify(secret).slice(1, -1));
      expect(rules).not.toEqual([]);
    }
  });

  it('leaves ordinary texts, numbers and shapes as they are', async () => {
    const body: JsonObject = {
      texts: [...ORDINARY],
      n: 1763977200123,
      f: -0.5,
      t: true,
      none: null,
      empty: {},
      list: [],
    };
    expect(await redactor.body(body, of)).toEqual({ value: body, rules: [] });
  });

  it.each<[JsonObject, JsonObject]>([
    [
      { password: 'x', user: 'a' },
      { password: '[redacted:named]', user: 'a' },
    ],
    [{ db: { Secret: { value: 'a b', ttl: 5 } } }, { db: { Secret: { value: '[redacted:named]', ttl: 5 } } }],
    [{ passwords: ['one', 'two'] }, { passwords: ['[redacted:named]', '[redacted:named]'] }],
    [{ env: [{ name: 'DB_PASSWORD', value: 'x' }] }, { env: [{ name: 'DB_PASSWORD', value: '[redacted:named]' }] }],
    [{ args: ['--api-key', 'abc', 'x'] }, { args: ['--api-key', '[redacted:named]', 'x'] }],
    [{ headers: { Authorization: 'tok' } }, { headers: { Authorization: '[redacted:named]' } }],
    [
      { pin: 1234, page: 1234 },
      { pin: '[redacted:named]', page: 1234 },
    ],
    [
      { cardNumber: 4111111111111111, n: 4111111111111112 },
      { cardNumber: '[redacted:card]', n: 4111111111111112 },
    ],
    [{ x: 4111111111111111 }, { x: '[redacted:card]' }],
    [{ phone: '5551234567' }, { phone: '[redacted:phone]' }],
    [
      { kty: 'oct', k: 'c2VjcmV0' },
      { kty: 'oct', k: '[redacted:named]' },
    ],
    [{ words: ['password', 'is', 'a', 'word'] }, { words: ['password', 'is', 'a', 'word'] }],
    [
      { max_tokens: 1000, tokenCount: 7 },
      { max_tokens: 1000, tokenCount: 7 },
    ],
    [
      { properties: { password: { type: 'string', description: 'The password.' } } },
      { properties: { password: { type: 'string', description: 'The password.' } } },
    ],
    [{ badge: 'see B-1234' }, { badge: 'see [redacted:badge]' }],
    [
      { content: 'all of it', nested: { a: { note: { x: 1 } } } },
      { content: '[redacted:tool-rule]', nested: { a: { note: '[redacted:tool-rule]' } } },
    ],
    [JSON.parse('{"__proto__": {"password": "x"}}'), JSON.parse('{"__proto__": {"password": "[redacted:named]"}}')],
  ])('knows what stands in %j by where it stands', async (body, expected) => {
    const { value } = await redactor.body(body, of);
    expect(JSON.stringify(value)).toBe(JSON.stringify(expected));
  });

  it('finds what only secretlint knows', async () => {
    const text = ['tskey', '-auth-', 'kA1b2C3dCNTRL-', 'a1B2c3D4e5'.repeat(4).slice(0, 32)].join('');
    const { value, rules } = await redactor.body({ text, also: 'x'.repeat(50), last: JWT }, of);
    expect(JSON.stringify(value)).not.toContain('a1B2c3D4e5');
    expect(rules).toContain('jwt');
  });

  it('keeps nothing of a part that a rule withholds', async () => {
    const result = { ...of, server: 'vault', name: 'read', part: 'result' } as const;
    expect(await redactor.encoded({ value: { a: 1 } }, result, MAX)).toEqual({ kind: 'withheld', because: 'rule' });
  });

  it('reads bytes that were cut, and says so', async () => {
    const bytes = encode({
      content: [{ type: 'text', text: `hello password=hunter2 ${'word '.repeat(100)}` }],
      more: 'x',
    });
    const cut = await redactor.encoded({ bytes: bytes.slice(0, 200), whole: false }, { ...of, part: 'result' }, MAX);
    expect(cut).toMatchObject({ kind: 'redacted', cut: true, rules: ['named'] });
    expect(JSON.parse(cut.kind === 'redacted' ? cut.text : '')).toMatchObject({ content: [{ type: 'text' }] });
    const long = await redactor.encoded({ bytes, whole: true }, { ...of, part: 'result' }, 300);
    expect(long).toMatchObject({ cut: true });
    expect(await redactor.encoded({ bytes: encode(5), whole: true }, of, MAX)).toMatchObject({ because: 'unreadable' });
    expect(await redactor.encoded({ bytes: new Uint8Array([255, 1]), whole: true }, of, MAX)).toMatchObject({
      because: 'unreadable',
    });
  });

  it('withholds bodies that find no place in the queue, and those that wait when it is closed', async () => {
    const small = createRedactor({ personal, patterns: [], tools: [], thread: { maxQueue: 1 } });
    const asked = [1, 2, 3].map((n) => small.encoded({ value: { n } }, of, MAX));
    expect(await asked[2]).toEqual({ kind: 'withheld', because: 'overloaded' });
    await small.close();
    expect(await asked[0]).toEqual({ kind: 'withheld', because: 'overloaded' });
    expect(await small.encoded({ value: {} }, of, MAX)).toEqual({ kind: 'withheld', because: 'overloaded' });
  });

  it('refuses a pattern that cannot be used, and says which', () => {
    const withPattern = (regex: string) => () => createRedactText({ personal, patterns: [{ name: 'mine', regex }] });
    expect(withPattern('(?=x)y')).toThrow(/"mine".*RE2/);
    expect(withPattern('a*')).toThrow(/empty text/);
  });
});

describe('JSON that was cut', () => {
  it('is JSON again, whatever it was and wherever it was cut', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 4 }), fc.nat(), (object, at) => {
        const text = JSON.stringify(object);
        const closed = closedJson(text.slice(0, at % (text.length + 1)));
        if (closed !== undefined) expect(() => JSON.parse(closed.json) as unknown).not.toThrow();
        expect(closedJson(`${text} , "id": 1}`)).toEqual({ json: text, complete: true });
      }),
      { numRuns: 300 },
    );
  });

  it('never keeps the beginning of a token', () => {
    expect(cutText('the key abcdef', 12)).toBe('the key …[cut]');
    expect(closedJson('{"a":"the key abcd')?.json).toBe('{"a":"the key …[cut]"}');
    expect(closedJson('{"a":1,"b":tru')?.json).toBe('{"a":1}');
    expect(closedJson('{"a":[1,2,{"c":"d"')?.json).toBe('{"a":[1,2,{"c":"d"}]}');
    expect(boundedCopy({ a: 'x'.repeat(100), b: [1, 2, 3] }, 50)).toEqual({ value: { a: '…[cut]' }, cut: true });
  });

  it('is left alone while it is small enough', () => {
    const body = { a: ['x', { b: null }], c: 'ünï' };
    expect(boundedCopy(body, 1_000)).toEqual({ value: body, cut: false });
  });
});

describe('hostile texts', () => {
  const text = createRedactText({ personal: PERSONAL_DATA, patterns: [], maxTextChars: 1_000_000 });
  const pieces = [
    'sk-',
    'eyJ',
    'eyJa.',
    '-----BEGIN PRIVATE KEY"',
    '-----BEGIN ',
    'a@',
    'password=',
    'password:"\\',
    '"',
    'token ',
    '://a:',
    '+1',
    '(0',
    '0123 ',
    '4111 ',
    'DE89 ',
    'AKIA',
    'xoxb-',
    'Bearer ',
    ' ',
    'aA1',
    '\\',
    '<password>',
    '--token ',
    'cookie: ',
    '1',
    '::',
    "'",
    '=',
    'LS0tLS1CRUdJTi',
    '{"kty":"',
    '"d":"',
    '.',
    '-',
  ];

  it('end: work that is not linear would take minutes for these', () => {
    for (const one of pieces) {
      for (const other of ['', 'a', ...pieces.slice(0, 3)]) {
        const unit = one + other;
        expect(text(unit.repeat(Math.ceil(150_000 / unit.length))).value.length).toBeGreaterThan(0);
      }
    }
  }, 120_000);

  it('of any kind are taken and answered, and hide no secret among them', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces, PEM, JWT), fc.string({ unit: 'binary' }))), (parts) => {
        const once = text(parts.join('\n')).value;
        expect(once).not.toContain(JWT.slice(-40));
        expect(once).not.toContain(PEM.split('\n')[1]);
      }),
      { numRuns: 300 },
    );
  });
});
