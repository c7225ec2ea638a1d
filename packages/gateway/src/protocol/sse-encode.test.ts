import { array, assert, asyncProperty, constantFrom, integer } from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { EncodedMessage } from './codec.ts';
import { textOf } from './fixtures.ts';
import { createSseDecoder } from './sse.ts';
import { encodeSseEvent, sseText } from './sse-encode.ts';

/** The data of every event in a stream, read by the decoder that reads upstreams. */
function eventsOf(stream: string): string[] {
  const decoder = new TextDecoder();
  const events: string[] = [];
  let data = '';
  const sse = createSseDecoder({
    data: (piece) => {
      data += decoder.decode(piece);
    },
    end: () => {
      events.push(data);
      data = '';
    },
  });
  sse.push(new TextEncoder().encode(stream));
  expect(sse.finish()).toBe(false);
  return events;
}

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const WHITE_SPACE = ['', ' ', '\n', '\r\n', '\r', '\n\n', '\t'];

describe('encodeSseEvent', () => {
  it('makes one event of one message, however its server broke the lines and its bytes were cut', async () => {
    const gaps = array(constantFrom(...WHITE_SPACE), { minLength: 9, maxLength: 9 });
    await assert(
      asyncProperty(gaps, integer({ min: 0, max: 12 }), integer({ min: 1, max: 9 }), async (space, cut, size) => {
        const value = { 'a b': ['line\nbreak', 'grüße'] };
        const tokens = ['{', '"a b"', ':', '[', '"line\\nbreak"', ',', '"grüße"', ']', '}'];
        const text = tokens.map((token, index) => `${token}${space[index]}`).join('');
        const head = new TextEncoder().encode(text.slice(0, cut));
        const streamed: EncodedMessage = { chunks: [head], rest: inPieces(text.slice(cut), size) };
        const whole: EncodedMessage = { chunks: [text.slice(0, cut), new TextEncoder().encode(text.slice(cut))] };
        for (const message of [streamed, whole]) {
          const events = eventsOf(await textOf(encodeSseEvent(message)));
          expect(events.map((event) => JSON.parse(event))).toEqual([value]);
        }
        expect(eventsOf(sseText(text)).map((event) => JSON.parse(event))).toEqual([value]);
      }),
    );
  });

  it('copies nothing that has no line break in it', () => {
    const bytes = new TextEncoder().encode('{"a":1}');
    expect(encodeSseEvent({ chunks: [bytes] }).chunks[1]).toBe(bytes);
  });
});
