import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findIdAtEnd, LARGE_BYTES, openLargeAnswer } from './large-answer.ts';

const LARGE_TEXT = 'x"\\\n€'.repeat(LARGE_BYTES / 4);

async function reassembled(line: string): Promise<unknown> {
  const answer = openLargeAnswer(Buffer.from(line), 'legacy');
  if (answer?.kind !== 'response') return answer;
  const { head, rest } = answer.message;
  const chunks = [head];
  for await (const chunk of rest ?? []) chunks.push(chunk);
  return { id: answer.id, whole: JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown };
}

describe('a large answer', () => {
  const result = { content: [{ type: 'text', text: LARGE_TEXT }] };
  it.each([
    ['first', { jsonrpc: '2.0', id: 7, result }],
    ['last', { result, jsonrpc: '2.0', id: 7 }],
    ['last but one', { result, id: 7, jsonrpc: '2.0' }],
  ])('is opened without losing a byte of its result, with its id %s', async (_where, message) => {
    expect(await reassembled(JSON.stringify(message))).toEqual({ id: 7, whole: { jsonrpc: '2.0', id: 7, result } });
  });

  it.each([
    ['its id is text', { result, jsonrpc: '2.0', id: '7' }],
    ['its id stands behind something else', { result, id: 7, jsonrpc: '2.0', _meta: {} }],
    ['it has no id', { result, jsonrpc: '2.0' }],
    ['it is a notification', { jsonrpc: '2.0', method: 'notifications/message', params: { data: LARGE_TEXT } }],
    ['it is an error', { jsonrpc: '2.0', error: { code: 1, message: LARGE_TEXT }, id: 7 }],
    ['its id comes twice', { id: 6, result, x: 1 }],
  ])('is left to be read whole when %s', async (_why, message) => {
    const line = JSON.stringify(message).replace(',"x":1}', ',"id":7}');
    const answer = openLargeAnswer(Buffer.from(line), 'legacy');
    expect(answer === undefined || (answer.kind === 'response' && answer.id === 6)).toBe(true);
  });

  it('of a modern server is left to be read whole when its type comes behind the first bytes', () => {
    const line = JSON.stringify({ result: { ...result, resultType: 'complete' }, jsonrpc: '2.0', id: 7 });
    expect(openLargeAnswer(Buffer.from(line), 'modern')).toBeUndefined();
  });
});

describe('an id at the end', () => {
  it('is never found where there is none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), (value, id) => {
        const withId = Buffer.from(JSON.stringify({ value, id }));
        expect(findIdAtEnd(withId)?.id).toBe(id);
        for (const without of [{ value }, { value: { nested: value, id } }, { value: `,"id":${id}}` }]) {
          expect(findIdAtEnd(Buffer.from(JSON.stringify(without)))).toBeUndefined();
        }
      }),
    );
  });
});
