/** A result that is still arriving is recorded when it is over, once, as what it came to. */

import { describe, expect, it } from 'vitest';

import { refuse } from '../model/failure.ts';
import type { Outcome } from '../model/outcome.ts';
import { responseText, upstreamMessage } from '../protocol/fixtures.ts';
import type { Handled } from './pipeline.ts';
import { callTool, worldOf } from './pipeline.fixture.ts';

const TEXT = responseText({ resultType: 'complete', content: [{ type: 'text', text: 'x'.repeat(300) }] });
const RESULT_BYTES = TEXT.length - TEXT.indexOf('{', 1) - 1;

const HEAD_BYTES = 60;

function streamed(breakAfter?: number): Outcome {
  const message = upstreamMessage(TEXT, 'modern', HEAD_BYTES);
  const { rest = [] } = message;
  async function* broken(): AsyncGenerator<Uint8Array> {
    let pieces = 0;
    for await (const piece of rest) {
      if (pieces++ === breakAfter) throw new Error('ECONNRESET');
      yield piece;
    }
  }
  return { kind: 'complete', result: { kind: 'message', message: { ...message, rest: broken() } } };
}

function restOf({ outcome }: Handled): AsyncIterable<Uint8Array> {
  if (outcome.kind !== 'complete' || outcome.result.kind !== 'message') throw new Error('no message');
  const { rest } = outcome.result.message;
  if (rest === undefined) throw new Error('the result came whole');
  return rest;
}

async function readAll(rest: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const piece of rest) bytes += piece.length;
  return bytes;
}

describe('a streamed result', () => {
  it('is recorded at its end and not before, with all its bytes and the brace that ends the message', async () => {
    const world = worldOf({ send: () => Promise.resolve(streamed()) });
    const rest = restOf(await world.handle(callTool('read')));
    expect(world.events).toEqual([]);
    expect(await readAll(rest)).toBe(TEXT.length - HEAD_BYTES);
    expect(world.events).toMatchObject([{ outcome: 'ok', resultBytes: RESULT_BYTES + 1, intentSequence: 7 }]);
    expect(world.refused).toEqual([]);
  });

  it('is recorded as cut when the server breaks off, and its reader hears of it', async () => {
    const world = worldOf({ send: () => Promise.resolve(streamed(3)) });
    const rest = restOf(await world.handle(callTool('read')));
    await expect(readAll(rest)).rejects.toThrow('ECONNRESET');
    expect(world.events).toMatchObject([{ outcome: 'failed', failure: { code: 'upstream-closed', sent: 'yes' } }]);
    expect(world.events).toHaveLength(1);
    expect(world.lines).toMatchObject([{ level: 'warn', fields: { outcome: 'upstream-closed' } }]);
  });

  it('is recorded as cut when its reader leaves', async () => {
    const world = worldOf({ send: () => Promise.resolve(streamed()) });
    for await (const _ of restOf(await world.handle(callTool('read')))) break;
    expect(world.events).toMatchObject([{ outcome: 'refused', failure: { code: 'cancelled', sent: 'yes' } }]);
    expect(world.events).toHaveLength(1);
  });

  it('keeps the reason when the gateway itself ended it', async () => {
    const late = refuse('upstream-timeout', { sent: 'maybe', message: 'The server files did not answer within 5 ms.' });
    const message = upstreamMessage(TEXT, 'modern', HEAD_BYTES);
    const rest: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(late) }),
    };
    const outcome: Outcome = { kind: 'complete', result: { kind: 'message', message: { ...message, rest } } };
    const world = worldOf({ send: () => Promise.resolve(outcome) });
    await expect(readAll(restOf(await world.handle(callTool('read'))))).rejects.toBe(late);
    expect(world.events).toMatchObject([{ outcome: 'failed', failure: { code: 'upstream-timeout' } }]);
  });

  it('that came whole is recorded before it is handed on', async () => {
    const message = upstreamMessage(TEXT, 'modern');
    const world = worldOf({
      send: () => Promise.resolve({ kind: 'complete', result: { kind: 'message', message } }),
    });
    await world.handle(callTool('read'));
    expect(world.events).toMatchObject([{ outcome: 'ok', resultBytes: RESULT_BYTES }]);
  });
});

describe('what a tool says of itself', () => {
  it.each([
    [{ isError: true, content: [] }, 'tool_error'],
    [{ content: [], isError: false }, 'ok'],
    [{ content: [{ type: 'text', text: '"isError":true' }] }, 'ok'],
  ])('is its outcome in the record: %j', async (result, outcome) => {
    const message = upstreamMessage(responseText({ resultType: 'complete', ...result }), 'modern');
    const world = worldOf({
      send: () => Promise.resolve({ kind: 'complete', result: { kind: 'message', message } }),
    });
    await world.handle(callTool('read'));
    expect(world.events).toMatchObject([{ outcome }]);
  });
});
