import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanEnvelope } from './envelope.ts';
import type { Envelope, EnvelopeScan } from './envelope.ts';
import { MAX_DEPTH } from './json-scan.ts';
import { readUpstreamAnswer } from './upstream-answer.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytesOf = (text: string): Uint8Array => encoder.encode(text);
const scan = (text: string, complete = true, era: 'modern' | 'legacy' = 'modern'): EnvelopeScan =>
  scanEnvelope(bytesOf(text), { era, complete });

function found(of: EnvelopeScan): Envelope {
  if (of.kind !== 'found') throw new Error(`expected a message, got ${JSON.stringify(of)}`);
  return of.envelope;
}

/** JSON text with the members in any order and white space anywhere, which `JSON.stringify` would never write. */
const spaces = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t  ');
const awkwardKey = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('id', 'result', '{"', '\\', 'a"b', 'é', ''));
const anyValue = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>('{"id":1}', '"}', '\\', [[[]]], -0.5e-7, 'x'.repeat(100) + '\\"'.repeat(60)),
);

function written(entries: readonly (readonly [string, string])[], gaps: readonly string[]): string {
  const gap = (index: number): string => gaps[index % gaps.length] ?? '';
  const body = entries.map(([key, value], index) => `${gap(index)}${JSON.stringify(key)}${gap(index + 1)}:${value}`);
  return `{${body.join(`${gap(3)},`)}${gap(2)}}`;
}

const uniqueEntries = fc
  .uniqueArray(fc.tuple(awkwardKey, anyValue), { selector: ([key]) => key, maxLength: 6 })
  .filter((entries) => entries.every(([key]) => key !== '__proto__'));

const message = fc
  .record({
    id: fc.oneof(fc.integer(), fc.string({ unit: 'binary' })),
    members: uniqueEntries,
    body: fc.constantFrom('result', 'error', 'request', 'notification'),
    order: fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
    gaps: fc.array(spaces, { minLength: 1, maxLength: 5 }),
    extra: fc.boolean(),
  })
  .map(({ id, members, body, order, gaps, extra }) => {
    const inner = written(
      members.map(([key, value]) => [key, JSON.stringify(value)]),
      gaps,
    );
    const entries: [string, string][] = [['jsonrpc', '"2.0"']];
    if (body !== 'notification') entries.push(['id', JSON.stringify(id)]);
    if (body === 'result') entries.push(['result', inner]);
    else if (body === 'error') entries.push(['error', `{"code":-32000,"message":"no","data":${inner}}`]);
    else entries.push(['method', '"ping"'], ['params', inner]);
    if (extra) entries.push(['x-vendor', inner]);
    const shuffled = entries
      .map((entry, index) => ({ entry, rank: order[index % order.length] ?? 0 }))
      .sort((left, right) => left.rank - right.rank)
      .map(({ entry }) => entry);
    return { text: written(shuffled, gaps), kind: body === 'result' ? 'response' : body };
  });

const sliceOf = (bytes: Uint8Array, start: number, end: number): unknown =>
  JSON.parse(decoder.decode(bytes.subarray(start, end)));

describe('scanning the envelope of an upstream message', () => {
  test('tells of any whole message what a parser would tell', () => {
    fc.assert(
      fc.property(message, ({ text, kind }) => {
        const bytes = bytesOf(text);
        const envelope = found(scanEnvelope(bytes, { era: 'modern', complete: true }));
        expect(envelope.kind).toBe(kind);
        if (envelope.kind !== 'response') return;
        const whole: unknown = JSON.parse(text);
        expect(whole).toMatchObject({ id: sliceOf(bytes, envelope.id.start, envelope.id.end) });
        const result = sliceOf(bytes, envelope.resultStart, envelope.resultEnd ?? -1);
        expect(whole).toHaveProperty('result', result);
        const members = [...envelope.members].map(([key, span]) => {
          const member: unknown = JSON.parse(`{${decoder.decode(bytes.subarray(span.start, span.end))}}`);
          expect(member).toEqual({ [key]: sliceOf(bytes, span.valueStart, span.end) });
          return [key, sliceOf(bytes, span.valueStart, span.end)];
        });
        expect(Object.fromEntries(members)).toEqual(result);
      }),
      { numRuns: 300 },
    );
  });

  test('never contradicts the whole message when it is cut anywhere, and is cut-proof at its end', () => {
    fc.assert(
      fc.property(message, fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean(), ({ text }, at, legacy) => {
        const bytes = bytesOf(text);
        const cut = Math.floor(at * bytes.length);
        const era = legacy ? 'legacy' : 'modern';
        const whole = found(scanEnvelope(bytes, { era, complete: true }));
        const part = scanEnvelope(bytes.subarray(0, cut), { era, complete: false });
        expect(part.kind).not.toBe('not-json-rpc');
        const cutForGood = scanEnvelope(bytes.subarray(0, cut), { era, complete: true }).kind;
        expect(cutForGood).toBe(cut < bytes.length ? 'not-json-rpc' : 'found');
        if (part.kind !== 'found' || part.envelope.kind !== 'response' || whole.kind !== 'response') return;
        expect(part.envelope.id).toEqual(whole.id);
        expect(part.envelope.resultStart).toBe(whole.resultStart);
        for (const [key, span] of part.envelope.members) expect(whole.members.get(key)).toEqual(span);
      }),
      { numRuns: 500 },
    );
  });

  test('never throws on, and never finds a message in, bytes that are none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(scanEnvelope(bytes, { era: 'modern', complete: true }).kind).toBe('not-json-rpc');
        expect(scanEnvelope(bytes, { era: 'legacy', complete: false }).kind).not.toBe('found');
      }),
    );
  });

  test.each([
    ['', 'is empty'],
    ['<!doctype html><p>It works!', 'is not a JSON object'],
    ['[{"jsonrpc":"2.0","id":1,"result":{}}]', 'is not a JSON object'],
    ['{"jsonrpc":"2.0","id":1,"result":{}', 'ends before its last brace'],
    ['{"jsonrpc":"2.0","id":1,"result":{}} x', 'goes on after its last brace'],
    ['{"jsonrpc":"2.0","id":1,"result":{]}', 'is not valid JSON'],
    ['{"jsonrpc":"2.0","id":1,"result":{"a":tru}}', 'is not valid JSON'],
    ['{"jsonrpc":"2.0","id":1,"result":{"a" 1}}', 'is not valid JSON'],
    ['{"jsonrpc":"2.0","id":1,"result":{,}}', 'is not valid JSON'],
    ['{"jsonrpc":"2.0",id:1}', 'is not valid JSON'],
    ['{"jsonrpc":"2.0","\\q":1}', 'is not valid JSON'],
    ['{"jsonrpc":"1.0","id":1,"result":{}}', 'does not say "jsonrpc":"2.0"'],
    ['{"id":1,"result":{}}', 'does not say "jsonrpc":"2.0"'],
    ['{"jsonrpc":"2.0","id":1,"result":[]}', 'has a result that is not an object'],
    ['{"jsonrpc":"2.0","id":null,"result":{}}', 'has a result without a usable id'],
    ['{"jsonrpc":"2.0","result":{}}', 'has a result without a usable id'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 'has a result and an error'],
    ['{"jsonrpc":"2.0","id":1,"method":"a","result":{}}', 'has a method and an answer'],
    ['{"jsonrpc":"2.0","id":1,"id":2,"result":{}}', 'repeats a member'],
    ['{"jsonrpc":"2.0","id":1,"\\u0069d":2,"result":{}}', 'repeats a member'],
    ['{"jsonrpc":"2.0","id":{},"method":"a"}', 'has an id that is neither a string nor a number'],
    ['{"jsonrpc":"2.0","method":7}', 'has a method that is not a string'],
    ['{"jsonrpc":"2.0","id":1}', 'has neither a method, a result nor an error'],
    [`{"jsonrpc":"2.0","id":1,"result":{"a":${'['.repeat(MAX_DEPTH + 1)}`, 'is not valid JSON'],
  ])('says of %j that it %s', (text, reason) => {
    expect(scan(text)).toEqual({ kind: 'not-json-rpc', reason });
  });

  test('finds a legacy result by its id before it has ended, and not before its id is whole', () => {
    const text = '{"jsonrpc":"2.0","id":12,"result":{"content":[';
    expect(found(scan(text, false, 'legacy'))).toMatchObject({ id: { start: 22, end: 24 }, resultStart: 34 });
    expect(scan('{"result":{"content":[', false, 'legacy')).toEqual({ kind: 'need-more' });
    expect(scan('{"jsonrpc":"2.0","id":12', false, 'legacy')).toEqual({ kind: 'need-more' });
  });

  test('hands a modern result on before its end only when it is known to be complete', () => {
    const open = (members: string): EnvelopeScan => scan(`{"jsonrpc":"2.0","id":"a","result":{${members}`, false);
    expect(open('"content":[').kind).toBe('need-more');
    expect(open('"resultType":"comp').kind).toBe('need-more');
    expect(open('"resultType":"input_required","inputRequests":{').kind).toBe('need-more');
    const envelope = found(open('"resultType":"complete","content":['));
    expect(envelope).toMatchObject({ kind: 'response', resultStart: 35 });
    expect(envelope).toHaveProperty('members', new Map([['resultType', { start: 36, end: 59, valueStart: 49 }]]));
  });

  test('keeps the ends of a result whose envelope comes last, as the official SDK writes it', () => {
    const text = '{"result":{"content":[{"type":"text","text":"}"}]},"jsonrpc":"2.0","id":"x"}';
    const envelope = found(scan(text, true, 'legacy'));
    expect(envelope).toMatchObject({ kind: 'response', resultStart: 10, resultEnd: text.indexOf(',"jsonrpc"') });
  });
});

describe('reading an upstream answer', () => {
  const read = (text: string): unknown => {
    const head = bytesOf(text);
    const envelope = found(scanEnvelope(head, { era: 'legacy', complete: true }));
    return readUpstreamAnswer({ era: 'legacy', head, envelope });
  };

  test.each([
    [
      '{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no such method"}}',
      { kind: 'error', id: 7, error: { code: -32601, message: 'no such method' } },
    ],
    [
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"data":[1]}}',
      { kind: 'error', id: null, error: { code: -32700, message: '', data: [1] } },
    ],
    ['{"jsonrpc":"2.0","id":"p","method":"ping"}', { kind: 'request', id: 'p', method: 'ping', params: {} }],
    ['{"jsonrpc":"2.0","method":"x","params":{"a":1}}', { kind: 'notification', method: 'x', params: { a: 1 } }],
    ['{"jsonrpc":"2.0","id":1,"error":"oops"}', undefined],
  ])('reads %s', (text, answer) => {
    expect(read(text)).toEqual(answer);
  });

  test.each([
    ['12', 12],
    ['-3', -3],
    ['"a\\u00e9"', 'aé'],
    ['1e3', 1000],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('takes %s for the id of a result', (id, value) => {
    expect(read(`{"jsonrpc":"2.0","id":${id},"result":{}}`)).toMatchObject({ kind: 'response', id: value });
  });

  test('is no answer when a result that goes on comes without its rest, or the id is not JSON', () => {
    const head = bytesOf('{"jsonrpc":"2.0","id":1,"result":{"a":');
    const envelope = found(scanEnvelope(head, { era: 'legacy', complete: false }));
    expect(readUpstreamAnswer({ era: 'legacy', head, envelope })).toBeUndefined();
    expect(read('{"jsonrpc":"2.0","id":1-2,"result":{}}')).toBeUndefined();
  });
});
