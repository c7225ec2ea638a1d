import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSseDecoder } from './sse.ts';
import type { SseOptions } from './sse.ts';

type Seen = { type: string; id?: string; data: string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function decode(chunks: readonly Uint8Array[], options: SseOptions = {}) {
  const events: Seen[] = [];
  const retries: number[] = [];
  let pieces: Uint8Array[] = [];
  const sse = createSseDecoder(
    {
      data: (piece) => {
        pieces.push(piece.slice());
      },
      end: ({ type, id }) => {
        const data = decoder.decode(Uint8Array.from(pieces.flatMap((piece) => [...piece])));
        events.push({ type, data, ...(id === undefined ? {} : { id }) });
        pieces = [];
      },
      retry: (delayMs) => retries.push(delayMs),
    },
    options,
  );
  for (const chunk of chunks) sse.push(chunk);
  return { events, retries, brokenOff: sse.finish() };
}

const decodeText = (text: string, options?: SseOptions) => decode([encoder.encode(text)], options);

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
}

describe('an event stream', () => {
  test.each<[string, string, Seen[]]>([
    ['one line', 'data: {"a":1}\n\n', [{ type: 'message', data: '{"a":1}' }]],
    ['no space behind the colon', 'data:x\n\n', [{ type: 'message', data: 'x' }]],
    ['only the first space is dropped', 'data:  x \n\n', [{ type: 'message', data: ' x ' }]],
    ['lines joined by line feeds', 'data: a\ndata:\ndata: b\n\n', [{ type: 'message', data: 'a\n\nb' }]],
    ['a field without colon has an empty value', 'data\ndata\n\n', [{ type: 'message', data: '\n' }]],
    [
      'carriage returns end lines',
      'data: a\r\rdata: b\r\n\r\n',
      [
        { type: 'message', data: 'a' },
        { type: 'message', data: 'b' },
      ],
    ],
    ['type and id', 'event: endpoint\nid: 7\ndata: /x\n\n', [{ type: 'endpoint', id: '7', data: '/x' }]],
    [
      'an id stays, a type does not',
      'id: 7\nevent: e\ndata: a\n\ndata: b\n\n',
      [
        { type: 'e', id: '7', data: 'a' },
        { type: 'message', id: '7', data: 'b' },
      ],
    ],
    ['a priming event is no event', 'id: p\ndata:\n\ndata: a\n\n', [{ type: 'message', id: 'p', data: 'a' }]],
    [
      'comments, unknown and long names are ignored',
      ': keep-alive\nfoo: 1\ndatum: 2\n: x\ndata: a\n\n',
      [{ type: 'message', data: 'a' }],
    ],
    ['an id with a NUL is ignored', 'id: a\0b\ndata: x\n\n', [{ type: 'message', data: 'x' }]],
    ['a byte order mark is skipped once', '\uFEFFdata: a\n\n', [{ type: 'message', data: 'a' }]],
    ['an event without its empty line is not one', 'data: a\n', []],
  ])('%s', (_name, text, events) => {
    expect(decodeText(text).events).toEqual(events);
  });

  test('says how long to wait before connecting again, when that is a number', () => {
    expect(decodeText('retry: 1500\n\nretry: soon\nretry: -1\n\n').retries).toEqual([1500]);
  });

  test('keeps no more of a field than it was allowed to', () => {
    const { events } = decodeText(`id: ${'x'.repeat(20)}\nevent: abc\ndata: 1\n\n`, { maxFieldBytes: 10 });
    expect(events).toEqual([{ type: 'abc', data: '1' }]);
  });

  test('knows whether it broke off inside an event', () => {
    expect(decodeText('data: a').brokenOff).toBe(true);
    expect(decodeText('data: a\n').brokenOff).toBe(true);
    expect(decodeText('data: a\n\n: bye\n').brokenOff).toBe(false);
  });

  test('hands data on before its line has ended, without copying it', () => {
    const pieces: Uint8Array[] = [];
    const sse = createSseDecoder({ data: (piece) => pieces.push(piece), end: () => undefined });
    const chunk = encoder.encode('data: {"half":');
    sse.push(chunk);
    expect(pieces).toHaveLength(1);
    expect(pieces[0]?.buffer).toBe(chunk.buffer);
  });

  test('reads the same events however the bytes are cut', () => {
    const lineEnd = fc.constantFrom('\n', '\r', '\r\n');
    const line = fc.tuple(
      fc.constantFrom('data', 'event', 'id', 'retry', '', 'other', 'data data', '\uFEFF'),
      fc.constantFrom(':', ': ', ''),
      fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replaceAll(/[\r\n]/gu, '')),
      lineEnd,
      fc.constantFrom('', '', '\n'),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('', '\uFEFF'),
        fc.array(line, { maxLength: 12 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        (mark, lines, cuts) => {
          const bytes = encoder.encode(mark + lines.flat().join(''));
          expect(decode(cutAt(bytes, cuts))).toEqual(decode([bytes]));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('gives back any text that was written as data lines', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 5 }), (texts) => {
        const clean = texts.map((text) => text.replaceAll('\r', '') || 'x');
        const stream = clean
          .map(
            (text) =>
              `${text
                .split('\n')
                .map((row) => `data: ${row}\n`)
                .join('')}\n`,
          )
          .join('');
        const expected = clean.map((text) => ({ type: 'message', data: text }));
        expect(decodeText(stream).events).toEqual(expected.filter((event) => event.data !== ''));
      }),
    );
  });
});
