import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';

import { afterEach, describe, expect, test } from 'vitest';

import type { Outcome } from '../model/outcome.ts';
import type { Answering, Running } from './entrypoint.fixtures.ts';
import { eventsOf, modernCall, open, promised, send, start } from './entrypoint.fixtures.ts';

let running: Running | undefined;

async function started(answering?: Answering, chosen: Parameters<typeof start>[1] = {}): Promise<Running> {
  running = await start(answering, chosen);
  return running;
}

afterEach(() => running?.entrypoint.close(0));

/** A result whose first bytes are here and whose rest is still arriving. */
function arriving(head: string, rest: AsyncIterable<Uint8Array>): Outcome {
  const bytes = Buffer.from(head);
  const idStart = head.indexOf('"id":') + 5;
  const message = {
    era: 'modern' as const,
    head: bytes,
    rest,
    id: { start: idStart, end: head.indexOf(',', idStart) },
    resultStart: head.indexOf('"result":') + 9,
    members: new Map(),
  };
  return { kind: 'complete', result: { kind: 'message', message } };
}

const HEAD = '{"jsonrpc":"2.0","id":77,"result":{"resultType":"complete","content":[';

const nextChunk = (response: IncomingMessage): Promise<string> =>
  new Promise((resolve) => {
    response.once('data', (chunk: Buffer) => resolve(chunk.toString()));
  });

describe('a result that is still arriving', () => {
  test('is passed on piece by piece', async () => {
    const { promise: second, keep: sendSecond } = promised();
    async function* rest(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('1');
      await second;
      yield Buffer.from(',2]}}');
    }
    const { port } = await started(() => arriving(HEAD, rest()));
    const response = await open(port, modernCall());
    let received = await nextChunk(response);
    expect(received).toContain('"content":[');
    sendSecond();
    received += await text(response);
    expect(JSON.parse(received)).toMatchObject({ id: 1, result: { content: [1, 2] } });
  });

  test('has no raw line break inside an event', async () => {
    async function* rest(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('\r\n  1,\n');
      yield Buffer.from('\n 2\n]}}\n');
    }
    const { port } = await started((_request, { channel }) => {
      void channel.notify({ kind: 'progress', params: { progress: 1 } });
      return arriving(HEAD.replaceAll(',', ',\n'), rest());
    });
    const answer = await send(port, modernCall('echo', { progressToken: 1 }));
    expect(eventsOf(answer.text).at(-1)).toMatchObject({ id: 1, result: { content: [1, 2] } });
  });

  test('that breaks off does not look like a whole one', async () => {
    async function* rest(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('1');
      throw new Error('the server died');
    }
    const { port } = await started(() => arriving(HEAD, rest()));
    await expect(send(port, modernCall())).rejects.toThrow(/aborted|hang up/);
  });

  test('is asked for no faster than the client reads', async () => {
    const piece = Buffer.alloc(64 * 1024, 0x20);
    let made = 0;
    async function* rest(): AsyncGenerator<Uint8Array> {
      for (; made < 1_000; made += 1) yield piece;
      yield Buffer.from(']}}');
    }
    const { port } = await started(() => arriving(HEAD, rest()));
    const response = await open(port, modernCall());
    response.pause();
    // The client reads nothing: once socket and kernel buffers are full, no further piece is made.
    const unread: number[] = [];
    while (unread.length < 2 || unread.at(-1) !== unread.at(-2)) {
      await setTimeout(50);
      unread.push(made);
    }
    expect(made).toBeLessThan(500);
    expect(JSON.parse(await text(response))).toMatchObject({ result: { content: [] } });
    expect(made).toBe(1_000);
  });

  test('is let go when a client does not read for too long', async () => {
    const { promise: ended, keep: end } = promised();
    async function* rest(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.alloc(64 * 1024, 0x20);
      } finally {
        end();
      }
    }
    const { port } = await started(() => arriving(HEAD, rest()), { limits: { writeTimeoutMs: 50 } });
    const response = await open(port, modernCall());
    response.on('error', () => undefined).pause();
    await ended;
    response.destroy();
  });

  test('is let go, and told so, when its reader is gone before it began', async () => {
    const { promise: ended, keep: end } = promised();
    const { promise: called, keep: call } = promised();
    const { promise: proceed, keep: goOn } = promised();
    async function* rest(): AsyncGenerator<Uint8Array> {
      try {
        yield Buffer.from('1');
        yield Buffer.from('2');
      } finally {
        end();
      }
    }
    const { port } = await started(async (_request, exchange) => {
      exchange.signal.addEventListener('abort', () => goOn());
      call();
      await proceed;
      return arriving(HEAD, rest());
    });
    const { headers, body } = modernCall();
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/mcp',
      headers: { 'content-type': 'application/json', authorization: 'Bearer alice-key', ...headers },
      agent: false,
    });
    request.on('error', () => undefined).end(JSON.stringify(body));
    await called;
    request.destroy();
    await ended;
  });
});
