import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';

import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

import type { Answering, Running } from './entrypoint.fixtures.ts';
import { modernBody, modernCall, send, sendLast, sendRaw, start } from './entrypoint.fixtures.ts';

let running: Running | undefined;

async function started(answering?: Answering, chosen: Parameters<typeof start>[1] = {}): Promise<Running> {
  running = await start(answering, chosen);
  return running;
}

afterEach(() => running?.entrypoint.close(0));

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

describe('the headers of a request', () => {
  test('that do not arrive in time are 408', async () => {
    const { port } = await started(undefined, { limits: { headersTimeoutMs: 50 } });
    const answer = await sendRaw(port, 'POST /mcp HTTP/1.1\r\nHost: ');
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('The request did not arrive in time.');
  });

  test('leave no token of a query in the log', async () => {
    const { port, logged } = await started();
    await send(port, { method: 'PUT', path: '/mcp?access_token=s3cret', body: {} });
    expect(logged.join()).toContain('"path":"/mcp"');
    expect(logged.join()).not.toContain('s3cret');
  });

  test('and the rest may be anything: the next client is served', async () => {
    const { port } = await started();
    const begun = fc.constantFrom('', 'POST /mcp HTTP/1.1\r\n', `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`);
    const noise = fc.string({ unit: 'binary', maxLength: 200 });
    const property = fc.asyncProperty(begun, noise, async (beginning, rest) => {
      const answer = await sendLast(port, `${beginning}${rest}\r\n\r\n`);
      expect(answer).toMatch(/^(?:HTTP\/1\.1 4\d\d |$)/);
    });
    await fc.assert(property, { numRuns: 60 });
    expect((await send(port, modernCall())).status).toBe(200);
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
