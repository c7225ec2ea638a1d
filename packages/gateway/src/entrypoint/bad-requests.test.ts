import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { FailureCode } from '../model/failure.ts';
import type { Running, Sent } from './entrypoint.fixtures.ts';
import {
  initializeBody,
  legacyBody,
  modernBody,
  modernCall,
  modernHeaders,
  openSession,
  send,
  sendRaw,
  start,
} from './entrypoint.fixtures.ts';

const LIMITS = { maxBodyBytes: 2_000, maxDepth: 8, maxBatch: 3, maxHeaderCount: 40, maxHeaderBytes: 4_096 };

let running: Running;

beforeAll(async () => {
  running = await start(undefined, { limits: LIMITS });
});

afterAll(() => running.entrypoint.close(0));

type Row = {
  readonly name: string;
  readonly sent: Sent;
  readonly status: number;
  readonly code: number;
  readonly reason: FailureCode;
  readonly message: string | RegExp;
};

const withHeaders = (headers: NonNullable<Sent['headers']>): Sent => {
  const call = modernCall();
  return { ...call, headers: { ...call.headers, ...headers } };
};

const deep = `${'['.repeat(9)}${']'.repeat(9)}`;

const TABLE: readonly Row[] = [
  {
    name: 'no credential',
    sent: withHeaders({ authorization: undefined }),
    status: 401,
    code: -31401,
    reason: 'unauthenticated',
    message: 'A credential is required. Send "Authorization: Bearer <token or API key>".',
  },
  {
    name: 'a credential of another scheme',
    sent: withHeaders({ authorization: 'Basic YWxpY2U6YWxpY2U=' }),
    status: 401,
    code: -31401,
    reason: 'unauthenticated',
    message: /^A credential is required/,
  },
  {
    name: 'a wrong credential',
    sent: withHeaders({ authorization: 'Bearer nobody-key' }),
    status: 401,
    code: -31401,
    reason: 'invalid-credential',
    message: /^The credential is not valid here/,
  },
  {
    name: 'another host',
    sent: withHeaders({ host: 'evil.example.com' }),
    status: 403,
    code: -31403,
    reason: 'host-refused',
    message: /^The Host header names another host/,
  },
  {
    name: 'a host that hides another in its query',
    sent: withHeaders({ host: 'evil.example.com?gw.example.com' }),
    status: 403,
    code: -31403,
    reason: 'host-refused',
    message: /^The Host header names another host/,
  },
  {
    name: 'a host that hides another in its fragment',
    sent: withHeaders({ host: 'evil.example.com#gw.example.com' }),
    status: 403,
    code: -31403,
    reason: 'host-refused',
    message: /^The Host header names another host/,
  },
  {
    name: 'a web origin that is not on the list',
    sent: withHeaders({ origin: 'https://evil.example.com' }),
    status: 403,
    code: -31403,
    reason: 'origin-refused',
    message: /^Requests from this web origin are not allowed/,
  },
  {
    name: 'the origin of a sandboxed page',
    sent: withHeaders({ origin: 'null' }),
    status: 403,
    code: -31403,
    reason: 'origin-refused',
    message: /^Requests from this web origin are not allowed/,
  },
  {
    name: 'a path where nothing is',
    sent: { ...modernCall(), path: '/' },
    status: 404,
    code: -31404,
    reason: 'not-found',
    message: 'There is nothing at this path. MCP endpoints are /mcp and /servers/{id}/mcp.',
  },
  {
    name: 'a server id that cannot be one',
    sent: { ...modernCall(), path: '/servers/no_underscore/mcp' },
    status: 404,
    code: -31404,
    reason: 'not-found',
    message: /^There is nothing at this path/,
  },
  {
    name: 'GET without a session',
    sent: { method: 'GET' },
    status: 405,
    code: -31405,
    reason: 'method-not-allowed',
    message: /^This HTTP method is not offered here/,
  },
  {
    name: 'DELETE without a session',
    sent: { method: 'DELETE' },
    status: 405,
    code: -31405,
    reason: 'method-not-allowed',
    message: /^This HTTP method is not offered here/,
  },
  {
    name: 'an HTTP method that we do not know',
    sent: { method: 'PUT', body: {} },
    status: 405,
    code: -31405,
    reason: 'method-not-allowed',
    message: /^This HTTP method is not offered here/,
  },
  {
    name: 'an Accept header without event streams',
    sent: withHeaders({ accept: 'application/json' }),
    status: 406,
    code: -31406,
    reason: 'not-acceptable',
    message: 'Accept must list application/json and text/event-stream.',
  },
  {
    name: 'a body of another type',
    sent: withHeaders({ 'content-type': 'text/plain' }),
    status: 415,
    code: -31415,
    reason: 'unsupported-media-type',
    message: 'Content-Type must be application/json.',
  },
  {
    name: 'a compressed body',
    sent: withHeaders({ 'content-encoding': 'gzip' }),
    status: 415,
    code: -31415,
    reason: 'unsupported-media-type',
    message: 'Compressed bodies are not accepted. Send the JSON as it is.',
  },
  {
    name: 'a body that is too large, and says so',
    sent: { body: legacyBody('ping', { pad: 'x'.repeat(3_000) }) },
    status: 413,
    code: -31413,
    reason: 'body-too-large',
    message: 'The request body is larger than the 2000 bytes that the gateway accepts.',
  },
  {
    name: 'a body that turns out too large',
    sent: { headers: { 'transfer-encoding': 'chunked' }, body: legacyBody('ping', { pad: 'x'.repeat(100_000) }) },
    status: 413,
    code: -31413,
    reason: 'body-too-large',
    message: /larger than the 2000 bytes/,
  },
  {
    name: 'no body',
    sent: {},
    status: 400,
    code: -32700,
    reason: 'parse-error',
    message: /^The body is not valid JSON/,
  },
  {
    name: 'malformed JSON',
    sent: { body: '{"jsonrpc": "2.0", ' },
    status: 400,
    code: -32700,
    reason: 'parse-error',
    message: /^The body is not valid JSON/,
  },
  {
    name: 'bytes that are no UTF-8',
    sent: { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) },
    status: 400,
    code: -32700,
    reason: 'parse-error',
    message: 'The body is not valid UTF-8.',
  },
  {
    name: 'a key that comes twice',
    sent: { body: '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}' },
    status: 400,
    code: -32600,
    reason: 'duplicate-key',
    message: /method/,
  },
  {
    name: 'a number that JavaScript would change',
    sent: { body: '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":9007199254740993}}' },
    status: 400,
    code: -32600,
    reason: 'unsafe-number',
    message: /params\.n/,
  },
  {
    name: 'JSON that is nested too deeply',
    sent: { body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${deep}}}` },
    status: 400,
    code: -32600,
    reason: 'too-deep',
    message: 'The body is nested deeper than 8 levels.',
  },
  {
    name: 'JSON that is no JSON-RPC',
    sent: { body: { hello: 'world' } },
    status: 400,
    code: -32600,
    reason: 'invalid-request',
    message: 'The message must carry "jsonrpc": "2.0".',
  },
  {
    name: 'a batch where there are none',
    sent: { body: [legacyBody('ping')] },
    status: 400,
    code: -32600,
    reason: 'batch-refused',
    message: 'Batches are not allowed in this protocol revision. Send one message per POST.',
  },
  {
    name: 'a legacy request without a session',
    sent: { body: legacyBody('tools/list') },
    status: 400,
    code: -31400,
    reason: 'session-required',
    message: /^Mcp-Session-Id is missing/,
  },
  {
    name: 'a session id that is not ours',
    sent: { headers: { 'mcp-session-id': 'made-up' }, body: legacyBody('tools/list') },
    status: 404,
    code: -31404,
    reason: 'unknown-session',
    message: /^The session is unknown or has ended/,
  },
  {
    name: 'a modern request without its method header',
    sent: { headers: { 'mcp-protocol-version': '2026-07-28' }, body: modernBody('tools/list') },
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: "The Mcp-Method header is missing; send the body's method.",
  },
  {
    name: 'a modern request whose method header differs',
    sent: { headers: modernHeaders('tools/list'), body: modernBody('resources/list') },
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: "The Mcp-Method header differs from the body's method.",
  },
  {
    name: 'a modern request whose name header differs',
    sent: { ...modernCall('echo'), headers: modernHeaders('tools/call', 'other') },
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: 'The Mcp-Name header differs from params.name.',
  },
  {
    name: 'a modern request whose version header differs',
    sent: withHeaders({ 'mcp-protocol-version': '2025-11-25' }),
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: /MCP-Protocol-Version header says "2025-11-25"/,
  },
  {
    name: 'a version that nobody speaks',
    sent: {
      headers: { ...modernHeaders('tools/list'), 'mcp-protocol-version': '2099-01-01' },
      body: modernBody('tools/list', {}, { 'io.modelcontextprotocol/protocolVersion': '2099-01-01' }),
    },
    status: 400,
    code: -32022,
    reason: 'unsupported-version',
    message: /^Protocol version "2099-01-01" is not supported.*2026-07-28/,
  },
  {
    name: 'a modern request without its envelope',
    sent: { headers: modernHeaders('tools/list'), body: legacyBody('tools/list') },
    status: 400,
    code: -32602,
    reason: 'invalid-envelope',
    message: /^params\._meta must carry/,
  },
];

describe('a bad request gets a clear error', () => {
  test.each(TABLE)('$name: $status $code $reason', async ({ sent, status, code, reason, message }) => {
    const answer = await send(running.port, sent);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/json');
    const body: unknown = JSON.parse(answer.text);
    expect(body).toMatchObject({
      jsonrpc: '2.0',
      error: { code, message: expect.stringMatching(message), data: { reason, requestId: expect.any(String) } },
    });
  });

  const headerLines = (...lines: readonly string[]): string => ['POST /mcp HTTP/1.1', ...lines, '', ''].join('\r\n');
  const host = (): string => `Host: 127.0.0.1:${running.port}`;

  test.each([
    ['Host', 400, /sent more than once/],
    ['Authorization', 400, /header authorization was sent more than once/],
    ['Content-Type', 400, /header content-type was sent more than once/],
    ['Mcp-Method', 400, /header mcp-method was sent more than once/],
    ['Mcp-Name', 400, /header mcp-name was sent more than once/],
    ['Mcp-Session-Id', 400, /header mcp-session-id was sent more than once/],
    ['Mcp-Protocol-Version', 400, /header mcp-protocol-version was sent more than once/],
    ['Mcp-Param-Path', 400, /header mcp-param-path was sent more than once/],
  ])('%s twice, though both are equal: %i', async (name, status, message) => {
    const lines = ['Content-Type: application/json', 'Authorization: Bearer alice-key', host()];
    const own = `${name}: same`;
    const others = lines.filter((line) => !line.startsWith(`${name}:`));
    const body = JSON.stringify(modernBody('ping'));
    const answer = await sendRaw(
      running.port,
      headerLines(own, own, ...others, 'Connection: close', `Content-Length: ${body.length}`) + body,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(message);
  });

  test.each([
    ['no Host at all', () => headerLines('Connection: close', 'Content-Length: 0'), 400, 'The Host header is missing.'],
    [
      'a request target with a host',
      () => headerLines(host(), 'Connection: close').replace('/mcp', 'http://evil/mcp'),
      404,
      'nothing at this path',
    ],
    ['something that is not HTTP', () => 'HELLO\r\n\r\n', 400, 'not valid HTTP/1.1'],
    ['two lengths', () => headerLines(host(), 'Content-Length: 1', 'Content-Length: 2'), 400, 'not valid HTTP/1.1'],
    [
      'a length and chunks',
      () => headerLines(host(), 'Content-Length: 1', 'Transfer-Encoding: chunked'),
      400,
      'not valid HTTP/1.1',
    ],
    ['a folded header', () => headerLines(host(), 'X-A: b', ' c'), 400, 'not valid HTTP/1.1'],
    ['headers that are too large', () => headerLines(host(), `X-A: ${'b'.repeat(5_000)}`), 431, 'headers are larger'],
    [
      'too many headers',
      () => headerLines(host(), 'Connection: close', ...Array.from({ length: 50 }, (_, n) => `X-${n}: a`)),
      431,
      'more than the 40 headers',
    ],
    [
      'broken chunks',
      () => `${headerLines(host(), 'Content-Type: application/json', 'Transfer-Encoding: chunked')}zz\r\n`,
      400,
      'not valid HTTP/1.1',
    ],
  ])('%s', async (_name, bytes, status, message) => {
    const answer = await sendRaw(running.port, bytes());
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const body: unknown = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
    expect(body).toMatchObject({ jsonrpc: '2.0', id: null, error: { message: expect.stringContaining(message) } });
  });

  test('a repeated header reaches no pipeline', async () => {
    const before = running.seen.length;
    const twice = 'Authorization: Bearer alice-key';
    await sendRaw(running.port, headerLines(host(), twice, twice, 'Connection: close', 'Content-Length: 0'));
    expect(running.seen.length).toBe(before);
  });

  test('a 401 says where to get a token, and what was wrong with the one that came', async () => {
    const none = await send(running.port, { ...withHeaders({ authorization: undefined }), path: '/servers/files/mcp' });
    const metadata =
      'resource_metadata="https://gw.example.com/.well-known/oauth-protected-resource/servers/files/mcp"';
    expect(none.headers['www-authenticate']).toBe(`Bearer ${metadata}`);
    const wrong = await send(running.port, withHeaders({ authorization: 'Bearer nobody-key' }));
    expect(wrong.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", resource_metadata=/);
  });

  test('a 405 says what is offered', async () => {
    expect((await send(running.port, { method: 'GET' })).headers.allow).toBe('POST');
    expect((await send(running.port, { method: 'PATCH' })).headers.allow).toBe('GET, POST, DELETE, OPTIONS');
  });

  test('refusals are counted and logged, without the credential', async () => {
    await send(running.port, { ...modernCall(), path: '/none' });
    expect(running.refused.at(-1)).toBe('not-found');
    expect(running.logged.at(-1)).toContain('not-found');
    expect(running.logged.join()).not.toContain('alice-key');
  });
});

describe('a bad request within a session gets a clear error', () => {
  const rows: readonly (Omit<Row, 'sent'> & { readonly revision: string; readonly sent: Sent })[] = [
    {
      name: 'an unsupported version header',
      revision: '2025-11-25',
      sent: { headers: { 'mcp-protocol-version': '1999-01-01' }, body: legacyBody('tools/list') },
      status: 400,
      code: -32022,
      reason: 'unsupported-version',
      message: /"1999-01-01" is not supported/,
    },
    {
      name: 'a batch in a revision without batches',
      revision: '2025-06-18',
      sent: { body: [legacyBody('ping')] },
      status: 400,
      code: -32600,
      reason: 'batch-refused',
      message: /^Batches are not allowed in this protocol revision/,
    },
    {
      name: 'a batch that is too long',
      revision: '2025-03-26',
      sent: { body: [1, 2, 3, 4].map((id) => legacyBody('ping', {}, id)) },
      status: 400,
      code: -32600,
      reason: 'batch-refused',
      message: /holds 4 messages; at most 3/,
    },
    {
      name: 'an empty batch',
      revision: '2025-03-26',
      sent: { body: [] },
      status: 400,
      code: -32600,
      reason: 'invalid-request',
      message: 'The batch is empty.',
    },
    {
      name: 'the session of another endpoint',
      revision: '2025-11-25',
      sent: { path: '/servers/files/mcp', body: legacyBody('tools/list') },
      status: 404,
      code: -31404,
      reason: 'unknown-session',
      message: /^The session is unknown or has ended/,
    },
    {
      name: 'the session of another caller',
      revision: '2025-11-25',
      sent: { headers: { authorization: 'Bearer bob-key' }, body: legacyBody('tools/list') },
      status: 404,
      code: -31404,
      reason: 'unknown-session',
      message: /^The session is unknown or has ended/,
    },
    {
      name: 'no credential, for a session is none',
      revision: '2025-11-25',
      sent: { headers: { authorization: undefined }, body: legacyBody('tools/list') },
      status: 401,
      code: -31401,
      reason: 'unauthenticated',
      message: /^A credential is required/,
    },
    {
      name: 'parameters of the wrong type',
      revision: '2025-11-25',
      sent: { body: legacyBody('tools/call', { name: 7 }) },
      status: 200,
      code: -32602,
      reason: 'invalid-params',
      message: /name/,
    },
  ];

  test.each(rows)('$name: $status $code $reason', async ({ revision, sent, status, code, reason, message }) => {
    const session = await openSession(running.port, revision);
    const answer = await send(running.port, { ...sent, headers: { ...session, ...sent.headers } });
    expect(answer.status).toBe(status);
    const body: unknown = JSON.parse(answer.text);
    expect(body).toMatchObject({ error: { code, message: expect.stringMatching(message), data: { reason } } });
  });

  test('an altered, an expired and a foreign session id get the same answer, but for the request id', async () => {
    const session = await openSession(running.port);
    const id = session['mcp-session-id'];
    const ask = (headers: NonNullable<Sent['headers']>): Promise<{ text: string }> =>
      send(running.port, { headers: { ...session, ...headers }, body: legacyBody('tools/list') });
    const altered = await ask({ 'mcp-session-id': `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}` });
    const foreign = await ask({ authorization: 'Bearer bob-key' });
    running.clock.nowMs += 24 * 60 * 60 * 1000;
    const expired = await ask({});
    const bodies = [altered, foreign, expired].map(({ text }) => text.replace(/"requestId":"[^"]+"/, ''));
    expect(new Set(bodies).size).toBe(1);
  });

  test('a client that says too much of itself is told so', async () => {
    const own = await start();
    const body = initializeBody('2025-11-25');
    const capabilities = { roots: { padding: 'x'.repeat(3_000) } };
    const params = { protocolVersion: '2025-11-25', clientInfo: { name: 'a', version: '1' }, capabilities };
    const answer = await send(own.port, { body: { ...body, params } });
    expect(answer.text).toContain('too large for a session id');
    expect(answer.headers['mcp-session-id']).toBeUndefined();
    await own.entrypoint.close(0);
  });
});
