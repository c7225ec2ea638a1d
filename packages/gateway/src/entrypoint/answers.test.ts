import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate, setTimeout } from 'node:timers/promises';

import { afterEach, describe, expect, test } from 'vitest';

import type { Outcome } from '../model/outcome.ts';
import type { Answering, Running } from './entrypoint.fixtures.ts';
import {
  DISCOVERED,
  eventsOf,
  initializeBody,
  legacyBody,
  modernBody,
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

describe('the body of a request', () => {
  test('that does not arrive in time is 408', async () => {
    const { port } = await started(undefined, { limits: { bodyTimeoutMs: 20 } });
    const received = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      let all = '';
      const lines = [
        'POST /mcp HTTP/1.1',
        `Host: 127.0.0.1:${port}`,
        'Content-Type: application/json',
        'Content-Length: 100',
      ];
      socket.write(`${lines.join('\r\n')}\r\n\r\n{`);
      socket.on('data', (chunk: Buffer) => (all += chunk.toString())).on('close', () => resolve(all));
    });
    expect(received).toMatch(/^HTTP\/1.1 408 /);
    expect(received).toContain('The request body did not arrive in time.');
  });

  test('is invited only when it is not too large already', async () => {
    const { port } = await started(undefined, { limits: { maxBodyBytes: 1_000 } });
    const expecting = (length: number): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json', expect: '100-continue', 'content-length': length };
        const request = httpRequest({ host: '127.0.0.1', port, path: '/mcp', method: 'POST', headers, agent: false });
        request.on('continue', () => request.end(JSON.stringify(modernBody('ping')).padEnd(length)));
        request.on('response', (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        request.on('error', reject).flushHeaders();
      });
    expect(await expecting(1_001)).toBe(413);
    expect(await expecting(500)).toBe(400);
  });
});

describe('the metadata of a resource', () => {
  const metadata = (path: string): string => `/.well-known/oauth-protected-resource${path}`;

  test.each([
    ['', 'https://gw.example.com'],
    ['/mcp', 'https://gw.example.com/mcp'],
    ['/servers/files/mcp', 'https://gw.example.com/servers/files/mcp'],
    ['/servers/never-heard-of/mcp', 'https://gw.example.com/servers/never-heard-of/mcp'],
  ])('at "%s" needs no credential and names %s', async (path, resource) => {
    const { port } = await started();
    const answer = await send(port, { method: 'GET', path: metadata(path), headers: { authorization: undefined } });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ resource, authorization_servers: ['https://idp.example.com'] });
  });

  test('is read with GET only', async () => {
    const { port } = await started();
    expect((await send(port, { path: metadata('/mcp'), body: {} })).status).toBe(405);
  });
});

describe('a web page', () => {
  test('of an allowed origin is told what it may send and read', async () => {
    const { port } = await started();
    const origin = 'https://app.example.com';
    const wanted = 'authorization, content-type, mcp-param-path, x-evil';
    const preflight = await send(port, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-headers': wanted, authorization: undefined },
    });
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-allow-headers': 'authorization, content-type, mcp-param-path',
        vary: 'Origin',
      },
    });
    const call = modernCall();
    const answer = await send(port, { ...call, headers: { ...call.headers, origin } });
    expect(answer).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': origin } });
  });

  test('of another origin learns nothing', async () => {
    const { port, seen } = await started();
    const call = modernCall();
    const answer = await send(port, { ...call, headers: { ...call.headers, origin: 'https://evil.example.com' } });
    expect(answer.status).toBe(403);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(seen).toHaveLength(0);
  });
});
