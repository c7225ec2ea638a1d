import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { refuse } from '../../model/failure.ts';
import { cleanUp, connectTo, connectorTo, failureOf, KEY, messageOf, raw, RESULT } from '../testing/http-kit.ts';
import { asModern, errorOf, event, json, openEvents, resultOf, serveRpc } from '../testing/http-servers.ts';
import type { Cleanups, Respond } from '../testing/http-servers.ts';
import { callTool, collectNotices, resultText, sendOptions, testCall, testServer } from '../testing/test-kit.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

const serveModern = (respond: Respond) => serveRpc(cleanups, asModern(respond));

describe('a call to a modern server', () => {
  test('is one POST with the headers of its revision and the credential, and its result comes back as it was written', async () => {
    const server = await serveModern((asked, response) => json(response, resultOf(asked, RESULT)));
    const upstream = await connectTo(cleanups, server.url);
    expect(upstream).toMatchObject({ era: 'modern', revision: '2026-07-28', transport: 'http' });
    const outcome = await upstream.send(callTool('greet', { who: 'you' }), sendOptions());
    expect(await resultText(outcome)).toBe(JSON.stringify(RESULT));
    expect(messageOf(outcome).rest).toBeUndefined();
    expect(server.methods()).toEqual(['server/discover', 'tools/call']);
    const [, asked] = server.asked;
    expect(asked?.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'greet',
      'x-api-key': 's3cret',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
    });
    expect(asked?.headers['mcp-session-id']).toBeUndefined();
    expect(asked?.params).toMatchObject({ name: 'greet', arguments: { who: 'you' } });
  });

  test('may be answered by a stream: notices reach the caller before the server goes on, under the token of the call only', async () => {
    let goOn: () => void = () => undefined;
    const server = await serveModern((asked, response) => {
      const token = (asked.params['_meta'] as { progressToken?: number }).progressToken ?? 'none';
      openEvents(response);
      response.write(': hello\n\n');
      const progress = (progressToken: number | string, value: number) =>
        event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: value } });
      response.write(progress('not-ours', 7) + progress(token, 1));
      goOn = () => response.end(progress(token, 2) + event(resultOf(asked, RESULT)));
    });
    const upstream = await connectTo(cleanups, server.url);
    const heard: unknown[] = [];
    const channel = {
      wantsProgress: true,
      notify: (notice: { params: { progress?: unknown } }) => {
        heard.push(notice.params.progress);
        goOn();
        return undefined;
      },
    };
    const outcome = await upstream.send(callTool('slow'), sendOptions({ channel }));
    expect(await resultText(outcome)).toBe(JSON.stringify(RESULT));
    expect(heard).toEqual([1, 2]);
  });

  test('holds the stream while the caller is slow to take a notice', async () => {
    const server = await serveModern((asked, response) => {
      openEvents(response);
      response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } }));
      setImmediate(() => response.end(event(resultOf(asked, RESULT))));
    });
    const upstream = await connectTo(cleanups, server.url);
    let take: () => void = () => undefined;
    const taken = new Promise<void>((resolve) => {
      take = resolve;
    });
    const order: string[] = [];
    const notified = Promise.withResolvers<void>();
    const channel = {
      wantsProgress: false,
      notify: () => {
        notified.resolve();
        return taken;
      },
    };
    const sent = upstream.send(callTool('log'), sendOptions({ channel })).then(() => order.push('result'));
    await notified.promise;
    // Another call makes a whole round trip meanwhile.
    await upstream.send(testCall({ kind: 'ping' }), sendOptions());
    order.push('taken');
    take();
    await sent;
    expect(order).toEqual(['taken', 'result']);
  });

  test('shows the person a question of the server as input-required', async () => {
    const server = await serveModern((asked, response) =>
      json(response, resultOf(asked, { resultType: 'input_required', inputRequests: { a: { method: 'roots/list' } } })),
    );
    const upstream = await connectTo(cleanups, server.url);
    const outcome = await upstream.send(callTool('ask'), sendOptions());
    expect(outcome).toMatchObject({ kind: 'input-required', requests: { a: { method: 'roots/list' } } });
  });

  test('discovers and pings by server/discover', async () => {
    const server = await serveModern((asked, response) => json(response, resultOf(asked, RESULT)));
    const upstream = await connectTo(cleanups, server.url);
    expect(await upstream.send(testCall({ kind: 'discover' }), sendOptions())).toMatchObject({
      kind: 'discovered',
      discovery: { serverInfo: { name: 'modern' }, freshness: { ttlMs: 60_000, scope: 'public' } },
    });
    expect(await upstream.send(testCall({ kind: 'ping' }), sendOptions())).toMatchObject({ kind: 'complete' });
    expect(server.methods()).toEqual(['server/discover', 'server/discover', 'server/discover']);
  });

  test('is refused before it leaves when its revision has no such request', async () => {
    const server = await serveModern((asked, response) => json(response, resultOf(asked, RESULT)));
    const upstream = await connectTo(cleanups, server.url);
    const outcome = await upstream.send(testCall({ kind: 'end-session' }), sendOptions());
    expect(failureOf(outcome)).toMatchObject({ code: 'method-not-found', sent: 'no' });
    expect(server.methods()).toEqual(['server/discover']);
  });
});

describe('a caller that leaves', () => {
  test('closes the connection to a modern server, and hears the reason it left for', async () => {
    const hanging = Promise.withResolvers<ServerResponse>();
    const server = await serveModern((_asked, response) => hanging.resolve(response));
    const upstream = await connectTo(cleanups, server.url);
    const abort = new AbortController();
    const sent = upstream.send(callTool('hang'), sendOptions({ signal: abort.signal }));
    const response = await hanging.promise;
    const closed = once(response, 'close');
    abort.abort(refuse('upstream-timeout', { message: 'too late' }));
    expect(failureOf(await sent)).toEqual({ code: 'upstream-timeout', sent: 'maybe', message: 'too late' });
    await closed;
  });

  test('before the call was made sends nothing', async () => {
    const server = await serveModern((asked, response) => json(response, resultOf(asked, RESULT)));
    const upstream = await connectTo(cleanups, server.url);
    const outcome = await upstream.send(callTool('x'), sendOptions({ signal: AbortSignal.abort() }));
    expect(failureOf(outcome)).toEqual({ code: 'cancelled', sent: 'no' });
    expect(server.methods()).toEqual(['server/discover']);
  });
});

describe('finding out that a server is modern', () => {
  const connect = (url: URL, probeTimeoutMs = 10_000) =>
    connectorTo(cleanups, url, { probeTimeoutMs }).connect(testServer(), KEY, new AbortController().signal);

  test('asks again in a revision that it offers instead', async () => {
    const server = await serveRpc(cleanups, (asked, response) => {
      const isFirst = server.asked.length === 1;
      if (isFirst) json(response, errorOf(asked.id, -32022, 'no', { supported: ['2026-07-28', '2030-01-01'] }), 400);
      else asModern(() => undefined)(asked, response);
    });
    expect(await connect(server.url)).toMatchObject({ revision: '2026-07-28' });
    expect(server.methods()).toEqual(['server/discover', 'server/discover']);
  });

  test.each<[string, Respond, string, RegExp]>([
    ['refuses the credential', raw(401, {}, ''), 'upstream-refused', /files cannot be used\..*status 401/],
    ['is not available now', raw(503, {}, ''), 'server-unavailable', /status 503/],
  ])('gives up, without a verdict, when the server %s', async (_name, respond, code, message) => {
    const server = await serveRpc(cleanups, respond);
    await expect(connect(server.url)).rejects.toMatchObject({
      failure: { code, sent: 'no', message: expect.stringMatching(message) },
    });
    expect(server.methods()).toEqual(['server/discover']);
  });

  test('ends when nobody waits for it any more', async () => {
    const server = await serveRpc(cleanups, () => abort.abort(refuse('upstream-timeout', { message: 'not ready' })));
    const abort = new AbortController();
    const connecting = connectorTo(cleanups, server.url).connect(testServer(), KEY, abort.signal);
    await expect(connecting).rejects.toMatchObject({ failure: { code: 'upstream-timeout' } });
  });
});

test('an answer is the same wherever the network cuts it', async () => {
  const server = await serveModern((asked, response) => {
    const text = JSON.stringify(resultOf(asked, RESULT));
    const { at, inEvents } = asked.params['arguments'] as { at: number; inEvents: boolean };
    const body = inEvents ? `event: message\r\ndata: ${text}\r\n\r\n` : text;
    response.writeHead(200, { 'content-type': inEvents ? 'text/event-stream' : 'application/json' });
    response.write(body.slice(0, at), () => response.end(body.slice(at)));
  });
  const upstream = await connectTo(cleanups, server.url);
  for (const inEvents of [false, true]) {
    for (let at = 0; at < 120; at += 3) {
      const outcome = await upstream.send(callTool('cut', { at, inEvents }), sendOptions());
      expect(await resultText(outcome)).toBe(JSON.stringify(RESULT));
    }
  }
});

test('many calls at once each get their own answer', async () => {
  const server = await serveModern((asked, response) => {
    const { n } = asked.params['arguments'] as { n: number };
    json(response, resultOf(asked, { resultType: 'complete', content: [], n }));
  });
  const upstream = await connectTo(cleanups, server.url);
  const channel = collectNotices(false);
  const texts = await Promise.all(
    Array.from({ length: 300 }, async (_, n) =>
      resultText(await upstream.send(callTool('n', { n }), sendOptions({ channel }))),
    ),
  );
  expect(texts.map((text) => (JSON.parse(text) as { n: number }).n)).toEqual(texts.map((_, n) => n));
});
