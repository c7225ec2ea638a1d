import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setImmediate, setTimeout } from 'node:timers/promises';

import { afterEach, describe, expect, test } from 'vitest';

import type { Answering, Running } from './entrypoint.fixtures.ts';
import {
  DISCOVERED,
  eventsOf,
  initializeBody,
  legacyBody,
  modernCall,
  modernHeaders,
  open,
  openSession,
  promised,
  send,
  start,
  value,
} from './entrypoint.fixtures.ts';

let running: Running | undefined;

async function started(answering?: Answering, chosen: Parameters<typeof start>[1] = {}): Promise<Running> {
  running = await start(answering, chosen);
  return running;
}

afterEach(() => running?.entrypoint.close(0));

const nextChunk = (response: IncomingMessage): Promise<string> =>
  new Promise((resolve) => {
    response.once('data', (chunk: Buffer) => resolve(chunk.toString()));
  });

describe('an answer', () => {
  test('is JSON when the result comes first', async () => {
    const { port } = await started();
    const answer = await send(port, modernCall());
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(Number(answer.headers['content-length'])).toBe(answer.text.length);
    expect(JSON.parse(answer.text)).toMatchObject({ id: 1, result: { content: [], resultType: 'complete' } });
  });

  test('is a stream as soon as there is a notice, which is written at once, and the result is its last event', async () => {
    const { promise: done, keep: finish } = promised();
    const { port } = await started(async (_request, { channel }) => {
      void channel.notify({ kind: 'progress', params: { progress: 1 } });
      await done;
      return value({ content: [] });
    });
    const response = await open(port, modernCall('echo', { progressToken: 'p' }));
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const first = await nextChunk(response);
    finish();
    const events = eventsOf(first + (await text(response)));
    expect(events).toHaveLength(2);
    expect(events[0]).toMatchObject({
      method: 'notifications/progress',
      params: { progress: 1, progressToken: 'p' },
    });
    expect(events[1]).toMatchObject({ id: 1, result: { content: [] } });
  });

  test('is JSON when the notices were not asked for', async () => {
    const { port } = await started((_request, { channel }) => {
      void channel.notify({ kind: 'log', params: { level: 'info', data: 'x' } });
      return value({ content: [] });
    });
    expect((await send(port, modernCall())).headers['content-type']).toBe('application/json');
  });

  test('becomes a stream with comments when nothing happens for a while', async () => {
    const { promise: done, keep: finish } = promised();
    const { port } = await started(() => done.then(() => value({ content: [] })), {
      limits: { quietMs: 5, keepAliveMs: 5 },
    });
    const response = await open(port, modernCall());
    expect(response.headers['content-type']).toBe('text/event-stream');
    expect(await nextChunk(response)).toBe(':\n\n');
    expect(await nextChunk(response)).toMatch(/^(:\n\n)+$/);
    finish();
    expect(eventsOf(await text(response))).toMatchObject([{ id: 1, result: { content: [] } }]);
  });

  test('is never a stream for initialize, whose headers are known at the end', async () => {
    // The quiet timer started before the pipeline was asked, so it has fired by then.
    const { port } = await started(() => setTimeout(5, DISCOVERED), { limits: { quietMs: 1 } });
    const answer = await send(port, { body: initializeBody('2025-11-25') });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['mcp-session-id']).toBeDefined();
  });

  test('says in an event what failed after the stream began', async () => {
    const { port } = await started((_request, { channel }) => {
      void channel.notify({ kind: 'progress', params: { progress: 1 } });
      return { kind: 'failed', failure: { code: 'upstream-closed', sent: 'yes' } };
    });
    const answer = await send(port, modernCall('echo', { progressToken: 1 }));
    expect(answer.status).toBe(200);
    expect(eventsOf(answer.text).at(-1)).toMatchObject({ id: 1, error: { data: { reason: 'upstream-closed' } } });
  });

  test('tells when to try again', async () => {
    const { port } = await started(() => ({
      kind: 'failed',
      failure: { code: 'quota-exceeded', sent: 'no', retryAfterMs: 1_500 },
    }));
    const answer = await send(port, modernCall());
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '2' } });
  });

  test('carries the parameter headers of a modern request to the pipeline', async () => {
    const { port, seen } = await started();
    const call = modernCall();
    await send(port, { ...call, headers: { ...call.headers, 'Mcp-Param-Path': 'a.txt' } });
    expect(seen[0]?.meta.paramHeaders).toEqual({ path: 'a.txt' });
  });

  test('ignores a session id on a modern request, and mints none', async () => {
    const { port, seen } = await started();
    const call = modernCall();
    const answer = await send(port, { ...call, headers: { ...call.headers, 'mcp-session-id': 'anything' } });
    expect(answer.status).toBe(200);
    expect(answer.headers['mcp-session-id']).toBeUndefined();
    expect(seen[0]?.client.session).toBeUndefined();
  });

  test('to a modern notification is 202', async () => {
    const { port, seen } = await started();
    const headers = modernHeaders('notifications/x');
    const answer = await send(port, { headers, body: { jsonrpc: '2.0', method: 'notifications/x', params: {} } });
    expect(answer).toMatchObject({ status: 202, text: '' });
    expect(seen[0]?.operation).toMatchObject({ kind: 'notify', method: 'notifications/x' });
  });

  test('trusts no address that a header names', async () => {
    const { port, seen } = await started();
    const call = modernCall();
    await send(port, {
      ...call,
      headers: { ...call.headers, 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' },
    });
    expect(seen[0]?.client.address).toBe('127.0.0.1');
  });
});

describe('a client that goes away', () => {
  test('cancels a modern call', async () => {
    const { promise: aborted, keep: abort } = promised();
    const { port } = await started((_request, { channel, signal }) => {
      signal.addEventListener('abort', () => abort());
      void channel.notify({ kind: 'progress', params: { progress: 1 } });
      return aborted.then(() => ({ kind: 'failed', failure: { code: 'cancelled', sent: 'maybe' } }) as const);
    });
    const response = await open(port, modernCall('echo', { progressToken: 1 }));
    response.on('error', () => undefined).destroy();
    await aborted;
  });

  test('does not cancel a legacy call', async () => {
    const { promise: closed, keep: close } = promised();
    const { promise: finished, keep: finish } = promised<boolean>();
    const { port, streams } = await started(async ({ operation }, { channel, signal }) => {
      if (operation.kind === 'discover') return DISCOVERED;
      void channel.notify({ kind: 'progress', params: { progress: 1 } });
      await closed;
      finish(signal.aborted);
      return value({ content: [] });
    });
    const headers = await openSession(port);
    const params = { name: 'echo', arguments: {}, _meta: { progressToken: 1 } };
    const response = await open(port, { headers, body: legacyBody('tools/call', params) });
    response.on('error', () => undefined).destroy();
    while (streams.open > 0) {
      await setImmediate();
    }
    close();
    expect(await finished).toBe(false);
  });
});

describe('progress', () => {
  test('only ever goes up, whatever a server says', async () => {
    const { port } = await started((_request, { channel }) => {
      for (const progress of [1, 2, 1, 2, '3', 2.5]) void channel.notify({ kind: 'progress', params: { progress } });
      return value({ content: [] });
    });
    const events = eventsOf((await send(port, modernCall('echo', { progressToken: 0 }))).text);
    expect(events.slice(0, -1)).toMatchObject(
      [1, 2, 2.5].map((progress) => ({ params: { progress, progressToken: 0 } })),
    );
  });
});

describe('a notice', () => {
  test('is waited for when the client reads too slowly, and dropped beyond the bound', async () => {
    const { promise: measured, keep: measure } = promised<{ waited: boolean; queued: number }>();
    const maxPendingNoticeBytes = 200_000;
    const { port } = await started(
      async (_request, { channel }) => {
        const data = 'x'.repeat(10_000);
        let waiting: Promise<void> | undefined;
        let queued = 0;
        // Nobody waits here, on purpose: memory must stay bounded all the same.
        for (let n = 0; n < 2_000; n += 1) {
          waiting = channel.notify({ kind: 'progress', params: { progress: n, message: data } });
          if (waiting === undefined) queued += 1;
        }
        measure({ waited: waiting !== undefined, queued });
        await waiting;
        return value({ content: [] });
      },
      { limits: { maxPendingNoticeBytes } },
    );
    const answer = await send(port, modernCall('echo', { progressToken: 1 }));
    expect((await measured).waited).toBe(true);
    const events = eventsOf(answer.text);
    expect(events.length).toBeLessThan(100);
    expect(events.at(-1)).toMatchObject({ id: 1, result: {} });
  });
});
