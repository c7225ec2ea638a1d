import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { Refusal, refuse } from '../../model/failure.ts';
import type { Outcome, UpstreamMessage } from '../../model/outcome.ts';
import { cleanUp, connectTo, connectorTo, KEY } from '../testing/http-kit.ts';
import { asModern, errorOf, event, json, openEvents, resultOf, serveRpc, stop } from '../testing/http-servers.ts';
import type { Cleanups, Respond } from '../testing/http-servers.ts';
import { callTool, collectNotices, resultText, sendOptions, testCall, testServer } from '../testing/test-kit.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

const serveModern = (respond: Respond) => serveRpc(cleanups, asModern(respond));
const RESULT = { resultType: 'complete', content: [{ type: 'text', text: 'hello' }] };

function failureOf(outcome: Outcome): { code: string; sent: string; message?: string } {
  if (outcome.kind !== 'failed') throw new Error(`expected a failure, got ${outcome.kind}`);
  const { code, sent, message } = outcome.failure;
  return { code, sent, ...(message === undefined ? {} : { message }) };
}

function messageOf(outcome: Outcome): UpstreamMessage {
  if (outcome.kind !== 'complete' || outcome.result.kind !== 'message') throw new Error(JSON.stringify(outcome));
  return outcome.result.message;
}

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

const raw =
  (status: number, headers: Record<string, string>, body: string | Buffer): Respond =>
  (_asked, response) =>
    response.writeHead(status, headers).end(body);
const JSON_TYPE = { 'content-type': 'application/json' };
const HTML = { 'content-type': 'text/html; charset=utf-8' };

describe('what a modern server does wrong is told apart', () => {
  test.each<[string, Respond, string, string, RegExp | undefined]>([
    ['HTML', raw(200, HTML, '<p>It works!'), 'upstream-invalid', 'yes', /status 200 and content type "text\/html"/],
    ['HTML with an error status', raw(500, HTML, '<p>'), 'upstream-invalid', 'yes', /status 500 and content type/],
    ['no content type', raw(200, {}, 'hello'), 'upstream-invalid', 'yes', /status 200 and no content type/],
    ['a mere acknowledgement', raw(202, {}, ''), 'upstream-invalid', 'yes', /status 202/],
    ['a redirect', raw(307, { location: '/other' }, ''), 'upstream-invalid', 'yes', /status 307/],
    ['an empty body', raw(200, JSON_TYPE, ''), 'upstream-invalid', 'yes', /it is empty/],
    ['garbage', raw(200, JSON_TYPE, 'Internal error'), 'upstream-invalid', 'yes', /is not a JSON object/],
    ['half a message', raw(200, JSON_TYPE, '{"jsonrpc":"2.0","id":1,'), 'upstream-invalid', 'yes', /ends before/],
    ['a batch', raw(200, JSON_TYPE, '[]'), 'upstream-invalid', 'yes', /is not a JSON object/],
    [
      'a compressed body',
      raw(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }, gzipSync('{}')),
      'upstream-invalid',
      'yes',
      /compressed/,
    ],
    [
      "another call's answer",
      raw(200, JSON_TYPE, '{"jsonrpc":"2.0","id":"x","result":{}}'),
      'upstream-invalid',
      'yes',
      /not asked/,
    ],
    [
      "another call's error",
      raw(200, JSON_TYPE, '{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":""}}'),
      'upstream-invalid',
      'yes',
      /not asked/,
    ],
    [
      'a notification for an answer',
      raw(200, JSON_TYPE, '{"jsonrpc":"2.0","method":"x"}'),
      'upstream-invalid',
      'yes',
      /instead of an answer/,
    ],
    [
      'a broken error',
      raw(200, JSON_TYPE, '{"jsonrpc":"2.0","id":1,"error":"no"}'),
      'upstream-invalid',
      'yes',
      /rules of JSON-RPC/,
    ],
    [
      'a result with an error status',
      (asked, response) => json(response, resultOf(asked, RESULT), 500),
      'upstream-invalid',
      'yes',
      /error status/,
    ],
    [
      'a stream without an answer',
      raw(200, { 'content-type': 'text/event-stream' }, ': bye\n\n'),
      'upstream-closed',
      'yes',
      undefined,
    ],
    [
      'a stream that breaks off',
      raw(200, { 'content-type': 'text/event-stream' }, 'data: {"jsonrpc"'),
      'upstream-closed',
      'yes',
      undefined,
    ],
    [
      'garbage in a stream',
      raw(200, { 'content-type': 'text/event-stream' }, 'data: hi\n\n'),
      'upstream-invalid',
      'yes',
      /is not a JSON object/,
    ],
    [
      '401',
      raw(401, { 'www-authenticate': 'Bearer realm="other"', ...JSON_TYPE }, '{}'),
      'upstream-refused',
      'yes',
      /status 401/,
    ],
    ['403', raw(403, {}, ''), 'upstream-refused', 'yes', /status 403/],
    ['503', raw(503, { 'retry-after': '7' }, 'busy'), 'server-unavailable', 'maybe', /status 503/],
    ['502 from a proxy', raw(502, HTML, '<h1>Bad gateway'), 'server-unavailable', 'maybe', /status 502/],
    [
      'an unknown method',
      (asked, response) => json(response, errorOf(asked.id, -32601), 404),
      'upstream-error',
      'yes',
      undefined,
    ],
    [
      'an error with a status',
      (asked, response) => json(response, errorOf(asked.id, -32603, 'boom'), 500),
      'upstream-error',
      'yes',
      undefined,
    ],
    [
      'an error without an id',
      (_asked, response) => json(response, errorOf(null, -32700, 'cannot read'), 200),
      'upstream-error',
      'yes',
      undefined,
    ],
    [
      'an error about our envelope',
      (asked, response) => json(response, errorOf(asked.id, -32020), 400),
      'upstream-invalid',
      'yes',
      /envelope/,
    ],
    ['a closed connection', (_asked, response) => response.destroy(), 'upstream-closed', 'maybe', undefined],
    ['a body that breaks off', (_asked, response) => breakOff(response), 'upstream-closed', 'yes', undefined],
    [
      'a request, which the revision forbids',
      (_asked, response) => askBack(response),
      'upstream-invalid',
      'yes',
      /"ping", which its revision forbids/,
    ],
  ])('%s', async (...[, respond, code, sent, message]) => {
    const server = await serveModern(respond);
    const upstream = await connectTo(cleanups, server.url);
    const failure = failureOf(await upstream.send(callTool('x'), sendOptions()));
    expect(failure).toMatchObject({ code, sent });
    expect(failure.message ?? '').toMatch(message ?? /^/);
    expect(JSON.stringify(failure)).not.toContain('s3cret');
  });

  test('a Retry-After is handed on', async () => {
    const server = await serveModern(raw(429, { 'retry-after': '7' }, ''));
    const outcome = await (await connectTo(cleanups, server.url)).send(callTool('x'), sendOptions());
    expect(outcome).toMatchObject({ failure: { code: 'server-unavailable', retryAfterMs: 7000 } });
  });

  test('a server that is down since is unavailable, and nothing was sent', async () => {
    const server = await serveModern((asked, response) => json(response, resultOf(asked, RESULT)));
    const upstream = await connectTo(cleanups, server.url);
    await stop(server.server);
    expect(failureOf(await upstream.send(callTool('x'), sendOptions()))).toMatchObject({
      code: 'server-unavailable',
      sent: 'no',
      message: expect.stringMatching(/connection refused/),
    });
  });

  test.each<[string, Respond]>([
    ['speaks another revision now', (asked, response) => json(response, errorOf(asked.id, -32022), 400)],
    ['became a legacy server', (_asked, response) => json(response, errorOf(null, -32000), 400)],
    ['is gone from this path', raw(404, HTML, '<p>')],
  ])('a server that %s was not asked: it is to be found anew', async (_name, respond) => {
    const server = await serveModern(respond);
    const upstream = await connectTo(cleanups, server.url);
    expect(failureOf(await upstream.send(callTool('x'), sendOptions()))).toMatchObject({
      code: 'upstream-closed',
      sent: 'no',
    });
    await upstream.ended;
    expect(failureOf(await upstream.send(callTool('x'), sendOptions()))).toMatchObject({
      code: 'upstream-closed',
      sent: 'no',
    });
    expect(server.methods()).toEqual(['server/discover', 'tools/call']);
  });
});

function breakOff(response: ServerResponse): void {
  response.writeHead(200, { ...JSON_TYPE, 'content-length': '1000' });
  response.write('{"jsonrpc":', () => response.destroy());
}

function askBack(response: ServerResponse): void {
  openEvents(response);
  response.write(event({ jsonrpc: '2.0', id: 's1', method: 'ping' }));
}

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

const BIG_TEXT = 'x'.repeat(1024);

/** Writes `pieces` kibibytes of one result, as fast as it is read. */
async function writeBig(response: ServerResponse, opening: string, pieces: number, closing: string): Promise<void> {
  response.write(opening);
  for (let index = 0; index < pieces; index += 1) {
    if (!response.write(BIG_TEXT)) await once(response, 'drain');
  }
  response.end(closing);
}

describe('a large result', () => {
  const opening = (id: unknown): string =>
    `{"jsonrpc":"2.0","id":${String(id)},"result":{"resultType":"complete","content":[{"type":"text","text":"`;
  const closing = '"}]}}';

  test.each([
    ['JSON', 'application/json', '', ''],
    ['an event', 'text/event-stream', 'data: ', '\n\n'],
  ])('in %s is handed on before its end, whole and unchanged', async (_name, type, before, after) => {
    const pieces = 3000;
    const server = await serveModern((asked, response) => {
      response.writeHead(200, { 'content-type': type });
      void writeBig(response, before + opening(asked.id), pieces, closing + after);
    });
    const upstream = await connectTo(cleanups, server.url, { maxBufferedBytes: 200_000 });
    const outcome = await upstream.send(callTool('big'), sendOptions());
    const { head, rest, members } = messageOf(outcome);
    expect(head.length).toBeLessThan(300_000);
    expect([...members.keys()]).toEqual(['resultType']);
    expect(rest).toBeDefined();
    const text = await resultText(outcome);
    expect(JSON.parse(text)).toEqual({
      resultType: 'complete',
      content: [{ type: 'text', text: BIG_TEXT.repeat(pieces) }],
    });
    // The connection is kept: the next call needs no other.
    expect(failureOf(await upstream.send(testCall({ kind: 'end-session' }), sendOptions())).code).toBe(
      'method-not-found',
    );
  });

  test('that nobody reads stops the server from writing', async () => {
    let accepted = 0;
    const server = await serveModern((asked, response) => {
      if (asked.params['name'] !== 'big') {
        json(response, resultOf(asked, RESULT));
        return;
      }
      response.writeHead(200, JSON_TYPE);
      response.write(opening(asked.id));
      const pump = (): void => {
        while (accepted < 32_000) {
          accepted += 1;
          if (!response.write(BIG_TEXT)) {
            response.once('drain', pump);
            return;
          }
        }
        response.end(closing);
      };
      pump();
    });
    const upstream = await connectTo(cleanups, server.url);
    const outcome = await upstream.send(callTool('big'), sendOptions());
    for (let index = 0; index < 200; index += 1) await upstream.send(callTool('small'), sendOptions());
    expect(accepted).toBeLessThan(16_000);
    expect((await resultText(outcome)).length).toBeGreaterThan(32_000 * BIG_TEXT.length);
  });

  test('that breaks off fails its reader', async () => {
    const server = await serveModern((asked, response) => {
      response.writeHead(200, JSON_TYPE);
      response.write(opening(asked.id) + BIG_TEXT.repeat(200), () => response.destroy());
    });
    const outcome = await (await connectTo(cleanups, server.url)).send(callTool('big'), sendOptions());
    await expect(resultText(outcome)).rejects.toBeInstanceOf(Refusal);
  });

  test('whose reader leaves, or whose caller does, lets go of the server', async () => {
    const closed: Promise<unknown>[] = [];
    const server = await serveModern((asked, response) => {
      closed.push(once(response, 'close'));
      response.writeHead(200, JSON_TYPE);
      response.write(opening(asked.id) + BIG_TEXT.repeat(200));
    });
    const upstream = await connectTo(cleanups, server.url);
    const left = messageOf(await upstream.send(callTool('big'), sendOptions()));
    for await (const piece of left.rest ?? []) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    const abort = new AbortController();
    const aborted = await upstream.send(callTool('big'), sendOptions({ signal: abort.signal }));
    abort.abort(refuse('upstream-timeout'));
    await expect(resultText(aborted)).rejects.toThrow('did not answer in time');
    await Promise.all(closed);
    expect(closed).toHaveLength(2);
  });

  test('that says too late what it is is buffered, and refused beyond the limit', async () => {
    const late = (asked: { id: unknown }, size: number): string =>
      `{"result":{"content":[{"type":"text","text":"${'y'.repeat(size)}"}],"resultType":"complete"},"jsonrpc":"2.0","id":${String(asked.id)}}`;
    const server = await serveModern((asked, response) =>
      raw(200, JSON_TYPE, late(asked, (asked.params['arguments'] as { size: number }).size))(asked, response),
    );
    const upstream = await connectTo(cleanups, server.url, { maxBufferedBytes: 500_000 });
    const held = await upstream.send(callTool('late', { size: 400_000 }), sendOptions());
    expect(messageOf(held).resultEnd).toBeGreaterThan(400_000);
    const refused = failureOf(await upstream.send(callTool('late', { size: 600_000 }), sendOptions()));
    expect(refused).toMatchObject({
      code: 'result-too-large',
      sent: 'yes',
      message: expect.stringMatching(/500000 bytes/),
    });
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
