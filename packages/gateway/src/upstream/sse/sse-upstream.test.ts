import { afterEach, describe, expect, test } from 'vitest';
import { createEgress } from '../../egress/egress.ts';
import { Refusal } from '../../model/failure.ts';
import { clientCodecFor, legacyHandshake } from '../../protocol/codecs.ts';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import type { Upstream } from '../connector.ts';
import { createHttpConnector, DEFAULT_HTTP_LIMITS } from '../http/http-connector.ts';
import { cleanUp, failureOf, KEY } from '../testing/http-kit.ts';
import { serve, type Cleanups } from '../testing/http-servers.ts';
import {
  callTool,
  collectLog,
  collectNotices,
  manualClock,
  resultText,
  sendOptions,
  testServer,
} from '../testing/test-kit.ts';
import { message, resultFor, serveSse, type Manner, type Said, type SseServer } from './sse-servers.fixture.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

type Chosen = { readonly only?: 'sse' | 'streamable-http'; readonly maxBufferedBytes?: number; readonly clock?: Clock };

function connectorTo(url: URL, { only, clock = systemClock, ...limits }: Chosen = {}) {
  const egress = createEgress();
  cleanups.push(() => egress.close());
  return createHttpConnector({
    url,
    egress,
    codecs: { clientCodecFor, legacyHandshake },
    limits: { ...DEFAULT_HTTP_LIMITS, probeTimeoutMs: 300, ...limits },
    clock,
    logger: collectLog(),
    instruments: { logDropped: () => undefined },
    ...(only === undefined ? {} : { only }),
  });
}

async function connect(url: URL, chosen?: Chosen): Promise<Upstream> {
  const upstream = await connectorTo(url, chosen).connect(testServer(), KEY, new AbortController().signal);
  cleanups.push(() => upstream.close());
  return upstream;
}

async function serveAndConnect(manner: Manner, chosen?: Chosen): Promise<{ server: SseServer; upstream: Upstream }> {
  const server = await serveSse(cleanups, manner);
  return { server, upstream: await connect(server.url, chosen) };
}

async function refusalOf(connecting: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await connecting.catch((thrown: unknown) => thrown);
  if (!(error instanceof Refusal)) throw new Error(`expected a refusal, got ${String(error)}`);
  return { code: error.failure.code, message: error.message };
}

const RESULT = { content: [{ type: 'text', text: 'hello' }] };
const greet: Manner['answer'] = (said, stream) => {
  if (said.message['method'] === 'tools/call') stream.write(resultFor(said, RESULT));
};
const greeted = JSON.stringify(RESULT);

describe('a server that speaks HTTP+SSE', () => {
  test('is found behind a URL that turns POSTs away, and called', async () => {
    const { server, upstream } = await serveAndConnect({ answer: greet });
    expect(upstream).toMatchObject({ era: 'legacy', revision: '2025-03-26', transport: 'sse' });
    expect(await resultText(await upstream.send(callTool('greet', {}), sendOptions()))).toBe(greeted);
    expect(server.methods()).toEqual(['initialize', 'notifications/initialized', 'tools/call']);
  });

  test('is spoken to at once where the operator says so, and gets the credential on both ways', async () => {
    const { server, upstream } = await serveAndConnect({ answer: greet, revision: '2025-06-18' }, { only: 'sse' });
    await upstream.send(callTool('greet', {}), sendOptions());
    expect(server.opened).toEqual([expect.objectContaining({ 'x-api-key': 's3cret', accept: 'text/event-stream' })]);
    expect(server.said.every(({ headers }) => headers['x-api-key'] === 's3cret')).toBe(true);
    expect(server.said.at(-1)?.headers['mcp-protocol-version']).toBe('2025-06-18');
  });

  test('is not looked for where the operator says that it is none', async () => {
    const server = await serveSse(cleanups);
    const { code } = await refusalOf(connect(server.url, { only: 'streamable-http' }));
    expect(code).toBe('upstream-invalid');
    expect(server.opened).toEqual([]);
  });

  test('is remembered: the next session begins with the stream', async () => {
    let posts = 0;
    const server = await serveSse(cleanups, { answer: greet });
    const counting = await serve(cleanups, (request, response) => {
      if (request.method === 'POST' && request.url === '/mcp') posts += 1;
      response.writeHead(307, { location: String(server.url) }).end();
    });
    expect((await refusalOf(connect(counting.url))).code).toBe('upstream-invalid');
    const connector = connectorTo(server.url);
    for (let time = 0; time < 2; time += 1) {
      const upstream = await connector.connect(testServer(), KEY, new AbortController().signal);
      expect(upstream.transport).toBe('sse');
      await upstream.close();
    }
    expect(posts).toBeGreaterThan(0);
    expect(server.opened).toHaveLength(2);
  });

  test('answers out of order, with progress to whoever asked for it', async () => {
    const held: Said[] = [];
    const { upstream } = await serveAndConnect({
      answer: (said, stream) => {
        if (said.message['method'] !== 'tools/call') return;
        held.push(said);
        if (held.length < 2) return;
        const id = held[0]?.message['id'];
        stream.write(
          message({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: id, progress: 1 } }),
        );
        for (const one of held.toReversed())
          stream.write(resultFor(one, { content: [], order: one.message['id'] ?? 0 }));
      },
    });
    const channel = collectNotices(true);
    const first = upstream.send(callTool('a', {}), sendOptions({ channel }));
    const second = upstream.send(callTool('b', {}), sendOptions());
    const texts = [await resultText(await first), await resultText(await second)];
    expect(new Set(texts).size).toBe(2);
    expect(channel.notices).toHaveLength(1);
  });

  test('hears of a cancelled call, behind it', async () => {
    const { server, upstream } = await serveAndConnect({});
    const leaving = new AbortController();
    const outcome = upstream.send(callTool('slow', {}), sendOptions({ signal: leaving.signal }));
    await expect.poll(() => server.methods()).toContain('tools/call');
    leaving.abort();
    expect(failureOf(await outcome)).toMatchObject({ code: 'cancelled', sent: 'maybe' });
    await expect.poll(() => server.methods().slice(2)).toEqual(['tools/call', 'notifications/cancelled']);
  });

  test('may write its messages in several data lines and with comments between', async () => {
    const { upstream } = await serveAndConnect({
      answer: ({ message: { id, method } }, stream) => {
        if (method !== 'tools/call') return;
        stream.write(`: ping\n\nevent: other\ndata: {"x":1}\n\ndata: {"late":1}\nevent: other\n\n`);
        stream.write(`data: {"jsonrpc":"2.0",\ndata: "id":${JSON.stringify(id)},\ndata: "result":{"content":[]}}\n\n`);
      },
    });
    expect(await resultText(await upstream.send(callTool('greet', {}), sendOptions()))).toBe('{"content":[]}');
  });
});

describe('a stream that cannot be trusted', () => {
  const elsewhere: [string, (url: URL) => string][] = [
    ['of another host', () => 'http://169.254.169.254/latest/meta-data'],
    ['of another port', (url) => `http://127.0.0.1:${Number(url.port) === 1 ? 2 : 1}/messages`],
    ['of another scheme', (url) => `https://127.0.0.1:${url.port}/messages`],
    ['without a scheme, of another host', () => '//evil.example/messages'],
    ['with a password', (url) => `http://user:pass@127.0.0.1:${url.port}/messages`],
    ['that is none', () => 'http://['],
    ['that is a file', () => 'file:///etc/passwd'],
  ];
  test.each(elsewhere)('that names an endpoint %s is left, and nothing is posted', async (_name, uri) => {
    const server = await serveSse(cleanups, {
      endpoint: (response, url) => response.write(`event: endpoint\ndata: ${uri(url)}\n\n`),
    });
    const { code, message: words } = await refusalOf(connect(server.url, { only: 'sse' }));
    expect(code).toBe('upstream-invalid');
    expect(words).toMatch(/endpoint for messages/);
    expect(words).not.toContain('pass@');
    expect(server.said).toEqual([]);
    await expect.poll(() => server.streams[0]?.destroyed).toBe(true);
  });

  const broken: [string, Manner, RegExp][] = [
    ['names no endpoint', { endpoint: () => undefined }, /named no endpoint on its event stream within 300 ms/],
    [
      'begins with a message',
      { endpoint: (response) => void response.write(message({ jsonrpc: '2.0', method: 'x' })) },
      /first event of the stream does not name the endpoint/,
    ],
    [
      'names an endpoint without end',
      { endpoint: (response) => void response.write(`event: endpoint\ndata: /${'x'.repeat(5000)}`) },
      /more than 4096 bytes/,
    ],
    ['ends at once', { endpoint: (response) => void response.end() }, /cannot be used/],
    [
      'is no stream',
      { open: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>') !== undefined },
      /no MCP answer/,
    ],
    [
      'is compressed',
      {
        open: (response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }).end();
          return true;
        },
      },
      /compressed/,
    ],
    ['chooses an unknown revision', { revision: '1999-01-01' }, /does not speak/],
  ];
  test.each(broken)('or %s is given up with the reason', async (_name, manner, words) => {
    const server = await serveSse(cleanups, manner);
    const refusal = await refusalOf(connect(server.url, { only: 'sse' }));
    expect(refusal.message).toMatch(words);
    for (const stream of server.streams) await expect.poll(() => stream.destroyed || stream.writableEnded).toBe(true);
  });

  test('is not the place for a refused credential', async () => {
    const server = await serveSse(cleanups, { open: (response) => response.writeHead(401).end() !== undefined });
    expect((await refusalOf(connect(server.url, { only: 'sse' }))).code).toBe('upstream-refused');
    expect((await refusalOf(connect(server.url))).code).toBe('upstream-refused');
  });

  test('the operator is told of both attempts where neither worked', async () => {
    const { url } = await serve(cleanups, (_request, response) => response.writeHead(404).end('nothing here'));
    const { message: words } = await refusalOf(connect(url));
    expect(words).toMatch(/status 404.*Nor does it speak HTTP\+SSE there/su);
  });
});

describe('a session that breaks', () => {
  const call = (upstream: Upstream) => upstream.send(callTool('greet', {}), sendOptions());

  test('with its stream ends its calls, which may have been executed', async () => {
    const { upstream } = await serveAndConnect({
      answer: (said, stream) => void (said.message['method'] === 'tools/call' && stream.destroy()),
    });
    expect(failureOf(await call(upstream))).toMatchObject({ code: 'upstream-closed', sent: 'maybe' });
    await upstream.ended;
    expect(failureOf(await call(upstream))).toMatchObject({ code: 'upstream-closed', sent: 'no' });
  });

  test.each([404, 410])('with a POST that is answered %i was not asked, and ends', async (status) => {
    const { upstream } = await serveAndConnect({
      status: ({ message: { method } }) => (method === 'tools/call' ? status : 202),
    });
    expect(failureOf(await call(upstream))).toMatchObject({ code: 'upstream-closed', sent: 'no' });
    await upstream.ended;
  });

  test('with 400 is asked whether it is there, and ends when it is not', async () => {
    const gone = await serveAndConnect({
      status: ({ message: { method } }) =>
        method === 'tools/call' || method === 'notifications/cancelled' ? 400 : 202,
    });
    expect(failureOf(await call(gone.upstream))).toMatchObject({ code: 'upstream-closed', sent: 'no' });
    await gone.upstream.ended;
  });

  test('with 400 for one message goes on for the others', async () => {
    const { server, upstream } = await serveAndConnect({
      status: ({ message: { params } }) => (JSON.stringify(params ?? {}).includes('poison') ? 400 : 202),
      answer: greet,
    });
    const poisoned = await upstream.send(callTool('poison', {}), sendOptions());
    expect(failureOf(poisoned)).toMatchObject({ code: 'upstream-invalid', sent: 'yes' });
    expect(await resultText(await call(upstream))).toBe(greeted);
    expect(server.opened).toHaveLength(1);
  });

  test.each([
    [401, 'upstream-refused', 'yes'],
    [429, 'server-unavailable', 'maybe'],
    [503, 'server-unavailable', 'maybe'],
    [500, 'upstream-invalid', 'yes'],
    [307, 'upstream-invalid', 'yes'],
  ])('with a POST that is answered %i fails that call', async (status, code, sent) => {
    const { upstream } = await serveAndConnect({
      status: ({ message: { method } }) => (method === 'tools/call' ? status : 202),
    });
    expect(failureOf(await call(upstream))).toMatchObject({ code, sent });
  });

  test.each([
    ['answers a ping', true],
    ['answers no ping', false],
  ])('and says nothing for a minute is asked, and kept while it %s', async (_name, isAlive) => {
    const clock = manualClock();
    const { server, upstream } = await serveAndConnect(
      {
        answer: (said, stream) => {
          if (said.message['method'] === 'ping' && isAlive) stream.write(resultFor(said, {}));
          greet(said, stream);
        },
      },
      { clock, only: 'sse' },
    );
    let hasEnded = false;
    void upstream.ended.then(() => (hasEnded = true));
    await clock.advance(59_000);
    expect(server.methods()).not.toContain('ping');
    await clock.advance(1000);
    await expect.poll(() => server.methods()).toContain('ping');
    if (isAlive) expect(await resultText(await call(upstream))).toBe(greeted);
    await clock.advance(15_000);
    await expect.poll(() => hasEnded).toBe(!isAlive);
  });

  test('because it was closed here leaves no stream', async () => {
    const { server, upstream } = await serveAndConnect({});
    const open = call(upstream);
    await upstream.close();
    expect(failureOf(await open).code).toBe('upstream-closed');
    await expect.poll(() => server.streams[0]?.destroyed).toBe(true);
  });
});

describe('what a server writes', () => {
  test('is bounded: an answer beyond the bound fails its call, and the others go on', async () => {
    const { upstream } = await serveAndConnect(
      {
        answer: (said, stream) => {
          if (said.message['method'] !== 'tools/call') return;
          const isLarge = JSON.stringify(said.message).includes('large');
          stream.write(resultFor(said, isLarge ? { content: [], fill: 'x'.repeat(100_000) } : RESULT));
        },
      },
      { maxBufferedBytes: 32 * 1024 },
    );
    const large = await upstream.send(callTool('large', {}), sendOptions());
    expect(failureOf(large)).toMatchObject({ code: 'result-too-large', sent: 'yes' });
    expect(await resultText(await upstream.send(callTool('small', {}), sendOptions()))).toBe(greeted);
  });

  test.each([
    ['no JSON', 'data: nonsense\n\n'],
    ['an answer to nothing', message({ jsonrpc: '2.0', id: 4711, result: {} })],
    ['an answer with an id of another kind', message({ jsonrpc: '2.0', id: 'x', result: {} })],
    ['a batch of nothing', 'data: []\n\n'],
    ['a second endpoint', 'event: endpoint\ndata: http://evil.example/messages\n\n'],
  ])('and is %s is let be', async (_name, text) => {
    const { server, upstream } = await serveAndConnect({
      answer: (said, stream) => {
        stream.write(text);
        greet(said, stream);
      },
    });
    expect(await resultText(await upstream.send(callTool('greet', {}), sendOptions()))).toBe(greeted);
    expect(server.said.every(({ path }) => path === '/messages?session=1')).toBe(true);
  });

  test('and asks while no client can be asked is refused, and a ping is answered', async () => {
    const { server, upstream } = await serveAndConnect({
      answer: (said, stream) => {
        if (said.message['method'] !== 'tools/call') return;
        stream.write(message({ jsonrpc: '2.0', id: 's1', method: 'sampling/createMessage', params: {} }));
        stream.write(message({ jsonrpc: '2.0', id: 's2', method: 'ping' }));
        stream.write(resultFor(said, RESULT));
      },
    });
    await upstream.send(callTool('greet', {}), sendOptions());
    await expect
      .poll(() => server.said.map(({ message: said }) => said).slice(-2))
      .toMatchObject([
        { id: 's1', error: { code: -32601 } },
        { id: 's2', result: {} },
      ]);
  });
});
