import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { refuse } from '../../model/failure.ts';
import { cleanUp, connectTo, connectorTo, KEY } from '../testing/http-kit.ts';
import {
  asLegacy,
  asModern,
  errorOf,
  event,
  INITIALIZED,
  json,
  openEvents,
  resultOf,
  serveBytes,
  serveRpc,
  SESSION_ID,
} from '../testing/http-servers.ts';
import type { Asked, Cleanups, Respond } from '../testing/http-servers.ts';
import { callTool, collectNotices, resultText, sendOptions, testCall, testServer } from '../testing/test-kit.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

const serveLegacy = (respond: Respond) => serveRpc(cleanups, asLegacy(respond));
const RESULT = { content: [{ type: 'text', text: 'hello' }] };
const greet: Respond = (asked, response) => {
  if (asked.method === 'tools/call') json(response, resultOf(asked, RESULT));
};
const connect = (url: URL, signal = new AbortController().signal) =>
  connectorTo(cleanups, url).connect(testServer(), KEY, signal);

describe('a session with a legacy server', () => {
  test('is opened by initialize, carried by every request and ended by DELETE', async () => {
    const server = await serveLegacy(greet);
    const upstream = await connectTo(cleanups, server.url);
    expect(upstream).toMatchObject({ era: 'legacy', revision: '2025-11-25' });
    const outcome = await upstream.send(callTool('greet', { who: 'you' }), sendOptions());
    expect(await resultText(outcome)).toBe(JSON.stringify(RESULT));
    await upstream.close();
    await upstream.ended;
    expect(server.methods()).toEqual([
      'server/discover',
      'initialize',
      'notifications/initialized',
      'tools/call',
      'DELETE',
    ]);
    const [, initialize, ...inSession] = server.asked;
    expect(initialize?.params).toMatchObject({ protocolVersion: '2025-11-25', capabilities: {} });
    expect(initialize?.headers['mcp-session-id']).toBeUndefined();
    expect(initialize?.headers['mcp-protocol-version']).toBeUndefined();
    for (const asked of inSession) {
      expect(asked.headers).toMatchObject({
        'mcp-session-id': SESSION_ID,
        'mcp-protocol-version': '2025-11-25',
        'x-api-key': 's3cret',
      });
    }
  });

  test('tells what the handshake told without asking again', async () => {
    const server = await serveLegacy(greet);
    const upstream = await connectTo(cleanups, server.url);
    expect(await upstream.send(testCall({ kind: 'discover' }), sendOptions())).toMatchObject({
      kind: 'discovered',
      discovery: { serverInfo: { name: 'legacy' } },
    });
    expect(server.methods()).toHaveLength(3);
  });

  test('may have no id, and an older revision without the version header', async () => {
    const server = await serveRpc(cleanups, (asked, response) => {
      if (asked.method === 'initialize')
        json(response, resultOf(asked, { ...INITIALIZED, protocolVersion: '2025-03-26' }));
      else if (asked.id === undefined) response.writeHead(202).end();
      else if (asked.method === 'tools/call') json(response, resultOf(asked, RESULT));
      else response.writeHead(404).end('not found');
    });
    const upstream = await connectTo(cleanups, server.url);
    expect(upstream.revision).toBe('2025-03-26');
    expect(await resultText(await upstream.send(callTool('x'), sendOptions()))).toBe(JSON.stringify(RESULT));
    await upstream.close();
    expect(server.methods()).toEqual(['server/discover', 'initialize', 'notifications/initialized', 'tools/call']);
    expect(server.asked.at(-1)?.headers).not.toHaveProperty('mcp-protocol-version');
  });

  test.each<[string, Respond]>([
    ['404', (_asked, response) => json(response, errorOf(null, -32001, 'Session not found'), 404)],
    ['404 without a body', (_asked, response) => response.writeHead(404).end()],
    [
      '400 about no request',
      (_asked, response) => json(response, errorOf(null, -32000, 'Server not initialized'), 400),
    ],
  ])('that the server forgot (%s) has ended, and the call was not made', async (_name, respond) => {
    const server = await serveLegacy((asked, response) => {
      if (asked.method === 'tools/call') respond(asked, response);
    });
    const upstream = await connectTo(cleanups, server.url);
    const outcome = await upstream.send(callTool('x'), sendOptions());
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'upstream-closed', sent: 'no' } });
    await upstream.ended;
    await upstream.close();
    expect(server.methods()).not.toContain('DELETE');
  });

  test('outlives the errors of a call', async () => {
    const server = await serveLegacy((asked, response) => {
      if (asked.method === 'tools/call') json(response, errorOf(asked.id, -32602, 'Unknown tool'), 400);
    });
    const upstream = await connectTo(cleanups, server.url);
    for (let index = 0; index < 2; index += 1) {
      expect(await upstream.send(callTool('x'), sendOptions())).toMatchObject({
        failure: { code: 'upstream-error', sent: 'yes', upstream: { code: -32602, message: 'Unknown tool' } },
      });
    }
  });
});

describe('while a legacy server works', () => {
  test('its ping is answered, its other questions are refused, and its progress reaches the caller', async () => {
    let stream: ServerResponse | undefined;
    let call: Asked | undefined;
    let answered = 0;
    const server = await serveLegacy((asked, response) => {
      if (asked.method === 'tools/call') {
        call = asked;
        stream = response;
        openEvents(response);
        response.write('id: 1\ndata:\n\n');
        response.write(event({ jsonrpc: '2.0', id: 'p', method: 'ping' }));
        response.write(event({ jsonrpc: '2.0', id: 7, method: 'sampling/createMessage', params: {} }));
      } else if (asked.http === 'POST') {
        if (!response.headersSent) response.writeHead(202).end();
        if (asked.method === '') answered += 1;
        if (answered < 2 || stream === undefined || call === undefined) return;
        const { progressToken } = call.params['_meta'] as { progressToken: number };
        const params = { progressToken, progress: 1 };
        stream.write(event({ jsonrpc: '2.0', method: 'notifications/progress', params }));
        stream.end(event(resultOf(call, RESULT)));
      }
    });
    const upstream = await connectTo(cleanups, server.url);
    const channel = collectNotices(true);
    const outcome = await upstream.send(callTool('ask'), sendOptions({ channel }));
    expect(await resultText(outcome)).toBe(JSON.stringify(RESULT));
    expect(channel.notices).toMatchObject([{ kind: 'progress', params: { progress: 1 } }]);
    const answers = server.asked.filter((asked) => asked.method === '' && asked.http === 'POST');
    expect(answers.map((asked) => asked.message)).toEqual(
      expect.arrayContaining([
        { jsonrpc: '2.0', id: 'p', result: {} },
        { jsonrpc: '2.0', id: 7, error: { code: -32601, message: expect.stringContaining('sampling/createMessage') } },
      ]),
    );
    expect(answers[0]?.headers['mcp-session-id']).toBe(SESSION_ID);
  });

  test('a caller that leaves is told to the server, with the id of its request', async () => {
    const hanging = Promise.withResolvers<Asked>();
    const cancelled = Promise.withResolvers<Asked>();
    const server = await serveLegacy((asked) => {
      if (asked.method === 'tools/call') hanging.resolve(asked);
      if (asked.method === 'notifications/cancelled') cancelled.resolve(asked);
    });
    const upstream = await connectTo(cleanups, server.url);
    const abort = new AbortController();
    const sent = upstream.send(callTool('hang'), sendOptions({ signal: abort.signal }));
    const { id } = await hanging.promise;
    abort.abort(refuse('upstream-timeout', { message: 'too late' }));
    expect(await sent).toMatchObject({ failure: { code: 'upstream-timeout', message: 'too late', sent: 'maybe' } });
    expect((await cancelled.promise).params).toMatchObject({ requestId: id });
  });
});

describe('finding out that a server is legacy', () => {
  const initializeOnly =
    (first: Respond): Respond =>
    (asked, response) => {
      if (asked.method === 'server/discover') first(asked, response);
      else asLegacy(greet)(asked, response);
    };

  test.each<[string, Respond]>([
    ['400 with an error of its own', (_asked, response) => json(response, errorOf(null, -32000), 400)],
    ['400 with a page', (_asked, response) => response.writeHead(400, { 'content-type': 'text/html' }).end('<p>')],
    ['404', (_asked, response) => response.writeHead(404).end()],
    ['405', (_asked, response) => response.writeHead(405).end()],
    ['406', (_asked, response) => response.writeHead(406).end()],
    ['415', (_asked, response) => response.writeHead(415).end()],
    ['500', (_asked, response) => response.writeHead(500).end()],
    ['202', (_asked, response) => response.writeHead(202).end()],
    ['200 with an unknown method', (asked, response) => json(response, errorOf(asked.id, -32601))],
    [
      'an unknown method in a stream',
      (asked, response) => {
        openEvents(response);
        response.end(event(errorOf(asked.id, -32601)));
      },
    ],
    ['a made-up error', (asked, response) => json(response, errorOf(asked.id, -32001), 404)],
    [
      'only revisions that are not modern',
      (asked, response) => json(response, errorOf(asked.id, -32022, 'no', { supported: ['2025-11-25'] }), 400),
    ],
    ['a result that is no DiscoverResult', (asked, response) => json(response, resultOf(asked, { ok: true }))],
    ['a closed connection', (_asked, response) => response.destroy()],
  ])('takes %s for a reason to try initialize', async (_name, first) => {
    const server = await serveRpc(cleanups, initializeOnly(first));
    expect(await connect(server.url)).toMatchObject({ era: 'legacy' });
    expect(server.methods()).toEqual(['server/discover', 'initialize', 'notifications/initialized']);
  });

  test('takes silence for a reason too, after a while', async () => {
    const server = await serveRpc(
      cleanups,
      initializeOnly(() => undefined),
    );
    expect(await connectTo(cleanups, server.url, { probeTimeoutMs: 50 })).toMatchObject({ era: 'legacy' });
  });

  test('is remembered, until the server turns out to be another', async () => {
    let respond = asLegacy(greet);
    const server = await serveRpc(cleanups, (asked, response) => respond(asked, response));
    const connector = connectorTo(cleanups, server.url);
    const again = () => connector.connect(testServer(), KEY, new AbortController().signal);
    expect(await again()).toMatchObject({ era: 'legacy' });
    expect(await again()).toMatchObject({ era: 'legacy' });
    expect(server.methods()).toEqual([
      'server/discover',
      'initialize',
      'notifications/initialized',
      'initialize',
      'notifications/initialized',
    ]);
    respond = asModern((asked, response) => json(response, errorOf(asked.id, -32601), 404));
    expect(await again()).toMatchObject({ era: 'modern' });
    respond = asLegacy(greet);
    expect(await again()).toMatchObject({ era: 'legacy' });
    server.asked.length = 0;
    await connector.connect(testServer({ version: 'v2' }), KEY, new AbortController().signal);
    expect(server.methods()[0]).toBe('server/discover');
  });

  test.each<[string, Respond, RegExp]>([
    [
      'refuses initialize',
      (asked, response) => json(response, errorOf(asked.id, -32601, 'what?')),
      /neither .* nor initialize.*-32601, "what\?"/,
    ],
    [
      'answers HTML',
      (_asked, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      /files cannot be used.*status 200 and content type "text\/html"/,
    ],
    [
      'chose an unknown revision',
      (asked, response) => json(response, resultOf(asked, { ...INITIALIZED, protocolVersion: '1999-01-01' })),
      /protocol version/,
    ],
    [
      'gives a session id that no header carries',
      (asked, response) => {
        response.setHeader('mcp-session-id', 'ä b');
        json(response, resultOf(asked, INITIALIZED));
      },
      /visible ASCII/,
    ],
    [
      'refuses notifications/initialized',
      (asked, response) => {
        if (asked.id === undefined) response.writeHead(500).end();
        else json(response, resultOf(asked, INITIALIZED));
      },
      /initialized with status 500/,
    ],
  ])('says so when the server %s', async (_name, respond, message) => {
    const server = await serveRpc(cleanups, (asked, response) => {
      if (asked.method === 'server/discover') response.writeHead(404).end();
      else respond(asked, response);
    });
    await expect(connect(server.url)).rejects.toMatchObject({
      failure: { code: 'upstream-invalid', sent: 'no', message: expect.stringMatching(message) },
    });
  });

  test('is no matter for a server that is down, or speaks no HTTP', async () => {
    const url = await serveBytes(cleanups, (socket) => socket.end('220 smtp.example ESMTP\r\n'));
    await expect(connect(url)).rejects.toMatchObject({
      failure: { code: 'upstream-invalid', message: expect.stringContaining('does not speak HTTP') },
    });
    await expect(connect(new URL('http://127.0.0.1:9/mcp'))).rejects.toMatchObject({
      failure: { code: 'server-unavailable', message: expect.stringContaining('cannot be reached') },
    });
    await expect(connect(new URL('http://169.254.169.254/mcp'))).rejects.toMatchObject({
      failure: { code: 'server-unavailable', message: expect.stringContaining('metadata') },
    });
  });

  test('leaves no session behind when the wait for it has ended', async () => {
    const abort = new AbortController();
    const deleted = Promise.withResolvers<void>();
    const server = await serveLegacy((asked) => {
      if (asked.method === 'notifications/initialized') abort.abort(refuse('upstream-timeout'));
    });
    server.server.on('request', (request) => {
      if (request.method === 'DELETE') deleted.resolve();
    });
    await expect(connect(server.url, abort.signal)).rejects.toMatchObject({ name: 'Refusal' });
    await deleted.promise;
  });
});

test('a server that never ends its stream behind the answer does not keep the connection', async () => {
  const closed = Promise.withResolvers<unknown>();
  const server = await serveLegacy((asked, response) => {
    if (asked.method !== 'tools/call') return;
    closed.resolve(once(response, 'close'));
    openEvents(response);
    response.write(event(resultOf(asked, RESULT)));
  });
  const upstream = await connectTo(cleanups, server.url);
  expect(await resultText(await upstream.send(callTool('x'), sendOptions()))).toBe(JSON.stringify(RESULT));
  await closed.promise;
});
