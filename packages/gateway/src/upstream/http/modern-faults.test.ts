import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { cleanUp, connectTo, failureOf, JSON_TYPE, raw, RESULT } from '../testing/http-kit.ts';
import { asModern, errorOf, event, json, openEvents, resultOf, serveRpc, stop } from '../testing/http-servers.ts';
import type { Cleanups, Respond } from '../testing/http-servers.ts';
import { callTool, sendOptions } from '../testing/test-kit.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

const serveModern = (respond: Respond) => serveRpc(cleanups, asModern(respond));
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
