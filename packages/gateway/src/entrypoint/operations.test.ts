import type { IncomingHttpHeaders } from 'node:http';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Logger } from '../telemetry/logger.ts';
import { ListenError } from './listen.ts';
import type { OperationsListener } from './operations.ts';
import { createOperationsListener } from './operations.ts';

const nowhere = (): void => undefined;
const logger: Logger = { debug: nowhere, info: nowhere, warn: nowhere, error: nowhere };

let notReady: string | undefined;
let listener: OperationsListener;
let port = 0;

const makeListener = (): OperationsListener =>
  createOperationsListener({
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: [Buffer.from('up'), Buffer.from(' 1\n')] }),
    notReady: () => notReady,
    status: () => ({ servers: [{ id: 'files', state: 'healthy' }] }),
    live: () => ({ inFlight: { requests: 3 } }),
    credentials: () => Promise.resolve({ credentials: [] }),
    schemas: () => ({ 'files/read': { type: 'object' } }),
    allowedHosts: ['ops.internal'],
    logger,
  });

beforeEach(async () => {
  notReady = undefined;
  listener = makeListener();
  ({ port } = await listener.listen({ host: '127.0.0.1', port: 0 }));
});

afterEach(() => listener.close());

type Answer = { status: number | undefined; headers: IncomingHttpHeaders; body: string };

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      void text(response).then((body) => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    request.on('error', reject).end();
  });
}

describe('createOperationsListener', () => {
  test('shows the metrics as they are handed to it', async () => {
    const answer = await ask('/metrics');
    expect(answer).toMatchObject({ status: 200, body: 'up 1\n' });
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4');
  });

  test('is alive also while it is not ready', async () => {
    notReady = 'draining';
    expect(await ask('/healthz')).toMatchObject({ status: 200 });
    expect(await ask('/readyz')).toMatchObject({ status: 503, body: 'draining\n' });
    notReady = undefined;
    expect(await ask('/readyz')).toMatchObject({ status: 200 });
  });

  test('shows the status as JSON', async () => {
    expect(JSON.parse((await ask('/status')).body)).toEqual({ servers: [{ id: 'files', state: 'healthy' }] });
  });

  test('shows the input schemas of the tools as JSON', async () => {
    expect(JSON.parse((await ask('/schemas')).body)).toEqual({ 'files/read': { type: 'object' } });
  });

  test.each([
    ['/nothing', {}, 'GET', 404],
    ['/metrics', {}, 'POST', 405],
    ['/metrics', { Host: 'evil.example.com' }, 'GET', 403],
    ['/metrics', { Origin: 'http://evil.example.com' }, 'GET', 403],
    ['/metrics', { Origin: 'null' }, 'GET', 403],
    ['/metrics', { Host: 'ops.internal:9090' }, 'GET', 200],
    ['/healthz', { Host: '10.1.2.3:9090' }, 'GET', 200],
    ['/healthz?verbose', {}, 'GET', 200],
    ['/healthz', {}, 'HEAD', 200],
  ])('answers %s with %j, %s: %i', async (path, headers, method, status) => {
    expect((await ask(path, headers, method)).status).toBe(status);
  });

  test.each([
    ['HTTP/1.0', 'HTTP/1.1 200 OK'],
    ['HTTP/1.1', 'HTTP/1.1 400 Bad Request'],
  ])('answers a check over %s that names no host with %s', async (version, expected) => {
    const socket = connect(port, '127.0.0.1').end(`GET /readyz ${version}\r\n\r\n`);
    expect((await text(socket)).split('\r\n')[0]).toBe(expected);
  });

  test('says so when its port is taken', async () => {
    const second = makeListener();
    const failed = await second.listen({ host: '127.0.0.1', port }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ListenError);
    expect(failed).toMatchObject({ problem: 'in-use', address: { host: '127.0.0.1', port } });
    expect(String(failed)).toContain(`Port ${port} on 127.0.0.1 is already in use`);
    await second.close();
  });
});
