import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { BAD_REQUEST_LIMITS, BAD_REQUESTS, withHeaders } from './bad-requests.fixtures.ts';
import type { Running } from './entrypoint.fixtures.ts';
import { modernBody, modernCall, send, sendRaw, start } from './entrypoint.fixtures.ts';

let running: Running;

beforeAll(async () => {
  running = await start(undefined, { limits: BAD_REQUEST_LIMITS });
});

afterAll(() => running.entrypoint.close(0));

/** By the pipeline's record, or here, and by nobody else. */
async function recordedOnce<T>(task: Promise<T>): Promise<T> {
  const before = running.seen.length + running.noted.length;
  const answer = await task;
  expect(running.seen.length + running.noted.length - before, 'how often it is recorded').toBe(1);
  return answer;
}

describe('a bad request gets a clear error', () => {
  test.each(BAD_REQUESTS)('$name: $status $code $reason', async ({ sent, status, code, reason, message }) => {
    const passed = running.seen.length;
    const answer = await recordedOnce(send(running.port, sent));
    expect(answer.status).toBe(status);
    if (running.seen.length === passed) {
      expect(running.noted.at(-1)).toMatchObject({ kind: 'refused-early', code: reason, address: '127.0.0.1' });
    }
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
    const answer = await recordedOnce(sendRaw(running.port, bytes()));
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
