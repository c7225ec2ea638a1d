import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { assertUrl, createGuardedLookup } from './address-guard.ts';
import type { EgressPolicy, Resolve } from './address-guard.ts';
import { createEgress } from './egress.ts';
import type { Egress, EgressOptions } from './egress.ts';
import { EgressError, toEgressError } from './egress-error.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function egressWith(options: EgressOptions = {}): Egress {
  const egress = createEgress(options);
  cleanups.push(() => egress.close());
  return egress;
}

async function serve(listener: RequestListener): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, server };
}

const small = { policy: 'configured', maxBytes: 1000, timeoutMs: 10_000 } as const;

async function refusal(promise: Promise<unknown>): Promise<{ reason: string; message: string }> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EgressError)) throw new Error('expected an EgressError', { cause: error });
  return { reason: error.reason, message: error.message };
}

describe('the guard', () => {
  test.each<[EgressPolicy, string, boolean]>([
    ['discovered', 'https://example.com/x', true],
    ['discovered', 'http://example.com/', false],
    ['discovered', 'https://127.0.0.1/', false],
    ['discovered', 'https://0x7f000001/', false],
    ['discovered', 'https://2130706433/', false],
    ['discovered', 'https://0177.0.0.1/', false],
    ['discovered', 'https://127.1/', false],
    ['discovered', 'https://[::1]/', false],
    ['discovered', 'https://[::ffff:10.0.0.1]/', false],
    ['discovered', 'https://[64:ff9b::a9fe:a9fe]/', false],
    ['discovered', 'https://192.168.1.1/', false],
    ['discovered', 'https://100.64.0.1/', false],
    ['discovered', 'https://user@example.com/', false],
    ['discovered', 'file:///etc/passwd', false],
    ['configured', 'http://127.0.0.1:3001/', true],
    ['configured', 'http://10.1.2.3/', true],
    ['configured', 'http://[fd12::1]/', true],
    ['configured', 'http://169.254.169.254/latest/meta-data', false],
    ['configured', 'http://0xa9fea9fe/', false],
    ['configured', 'http://[fe80::1]/', false],
    ['configured', 'http://0.0.0.0/', false],
    ['configured', 'https://user:pass@example.com/', false],
    ['configured', 'ftp://example.com/', false],
  ])('for a %s URL, %s: allowed is %s', (policy, url, allowed) => {
    const check = (): void => assertUrl(policy, new URL(url));
    const outcome = allowed ? undefined : 'refused';
    let reason: string | undefined;
    try {
      check();
    } catch (error) {
      reason = error instanceof EgressError ? error.reason : String(error);
    }
    expect(reason).toBe(outcome);
  });

  const lookUp = (policy: EgressPolicy, resolve: Resolve): Promise<readonly LookupAddress[]> =>
    new Promise((done, fail) => {
      createGuardedLookup(policy, resolve)('host.example', { all: true }, (error, found) => {
        if (error) fail(error);
        else done(Array.isArray(found) ? found : []);
      });
    });

  test('connects to exactly the addresses that it judged', async () => {
    const found = await lookUp('discovered', () => Promise.resolve(['93.184.215.14', '2606:2800:21f::1']));
    expect(found).toEqual([
      { address: '93.184.215.14', family: 4 },
      { address: '2606:2800:21f::1', family: 6 },
    ]);
  });

  test('refuses a name as soon as one of its addresses is forbidden', async () => {
    const mixed = lookUp('discovered', () => Promise.resolve(['93.184.215.14', '127.0.0.1']));
    expect(await refusal(mixed)).toMatchObject({
      reason: 'refused',
      message: expect.stringMatching(/host\.example \(127\.0\.0\.1\) is loopback/),
    });
  });

  test('asks the resolver once per connection, so a second answer cannot rebind the name', async () => {
    const { port } = await serve((_request, response) => response.end('{}'));
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const asked: string[] = [];
    const egress = egressWith({
      resolve: (hostname) => {
        asked.push(hostname);
        return Promise.resolve(answers[asked.length - 1] ?? []);
      },
    });
    expect((await egress.fetchJson(`http://name.example:${port}/`, small)).body).toEqual({});
    expect(asked).toEqual(['name.example']);
    const { port: other } = await serve((_request, response) => response.end('{}'));
    expect(await refusal(egress.fetchJson(`http://name.example:${other}/`, small))).toMatchObject({
      reason: 'refused',
    });
  });
});

describe('fetching a JSON document', () => {
  test('gives the body, the headers and the place it was found', async () => {
    const { url } = await serve((request, response) => {
      response.setHeader('cache-control', 'max-age=60');
      response.end(JSON.stringify({ path: request.url, encoding: request.headers['accept-encoding'] }));
    });
    const fetched = await egressWith().fetchJson(`${url}/a?b=c`, small);
    expect(fetched.body).toEqual({ path: '/a?b=c', encoding: 'identity' });
    expect(fetched.headers['cache-control']).toBe('max-age=60');
    expect(fetched.url).toBe(`${url}/a?b=c`);
  });

  test.each<[string, RequestListener, RegExp]>([
    ['a status', (_request, response) => response.writeHead(404).end('{}'), /status 404/],
    ['something else', (_request, response) => response.end('<html>'), /not JSON/],
    ['bytes that are no text', (_request, response) => response.end(Buffer.from([0x22, 0xff, 0x22])), /not JSON/],
    ['too much', (_request, response) => response.end(JSON.stringify('x'.repeat(2000))), /more than 1000 bytes/],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/b' }).end(), /redirects/],
  ])('refuses %s', async (_name, listener, message) => {
    const { url } = await serve(listener);
    expect(await refusal(egressWith().fetchJson(url, small))).toMatchObject({ reason: 'unexpected-answer', message });
  });

  test('judges every redirect like a first URL', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/start') response.writeHead(302, { location: '/end' }).end();
      else if (request.url === '/end') response.end('1');
      else response.writeHead(307, { location: 'http://169.254.169.254/latest' }).end();
    });
    const egress = egressWith();
    const followed = { ...small, maxRedirects: 1 };
    expect(await egress.fetchJson(`${url}/start`, followed)).toMatchObject({ body: 1, url: `${url}/end` });
    expect(await refusal(egress.fetchJson(`${url}/evil`, followed))).toMatchObject({ reason: 'refused' });
  });

  test('ends in time, and when it is given up', async () => {
    const { url } = await serve((_request, response) => {
      response.write('{');
    });
    const egress = egressWith();
    expect(await refusal(egress.fetchJson(url, { ...small, timeoutMs: 50 }))).toMatchObject({ reason: 'timeout' });
    const abort = new AbortController();
    const given = refusal(egress.fetchJson(url, { ...small, signal: abort.signal }));
    abort.abort();
    expect(await given).toMatchObject({ reason: 'aborted' });
  });

  test('says why a host cannot be reached', async () => {
    const tcp = createTcpServer();
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const { port } = tcp.address() as AddressInfo;
    await new Promise((resolve) => tcp.close(resolve));
    const egress = egressWith({ resolve: () => Promise.resolve([]) });
    expect(await refusal(egress.fetchJson(`http://127.0.0.1:${port}/`, small))).toEqual({
      reason: 'unreachable',
      message: 'nothing listens there (connection refused)',
    });
    expect(await refusal(egress.fetchJson('http://nowhere.example/', small))).toMatchObject({ reason: 'unreachable' });
  });

  test('tells garbage and a closed connection apart', async () => {
    const tcp = createTcpServer((socket) => {
      socket.once('data', (data) => {
        if (data.includes('/garbage')) socket.end('220 smtp.example ESMTP\r\n');
        else if (data.includes('/close')) socket.destroy();
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":', () => socket.destroy());
      });
    });
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => tcp.close(resolve)));
    const { port } = tcp.address() as AddressInfo;
    const egress = egressWith();
    const reasonOf = async (path: string) =>
      (await refusal(egress.fetchJson(`http://127.0.0.1:${port}${path}`, small))).reason;
    expect(await reasonOf('/garbage')).toBe('not-http');
    expect(await reasonOf('/close')).toBe('closed');
    expect(await reasonOf('/half')).toBe('closed');
  });

  test('tells the cause of an error that has several', () => {
    const several = new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]);
    expect(toEgressError(several, false)).toMatchObject({
      reason: 'unreachable',
      message: expect.stringMatching(/refused/),
    });
  });
});

test.each(['connectTimeoutMs', 'keepAliveMs', 'connectionsPerOrigin', 'maxOrigins', 'maxHeaderBytes'])(
  'a senseless %s is refused when the egress is made',
  (name) => {
    expect(() => createEgress({ [name]: 0 })).toThrow(name);
    expect(() => createEgress({ [name]: Number.NaN })).toThrow(name);
  },
);
