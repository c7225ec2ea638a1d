import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { createEgress } from '../egress/egress.ts';
import { composeReplicas } from './replicas.ts';

const egress = createEgress();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});
afterAll(() => egress.close());

async function listening(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const known = (b: string) =>
  composeReplicas({ replicas: { self: 'a', peers: { a: 'http://127.0.0.1:1', b } } }, egress);
const request = (signal = new AbortController().signal) => ({
  path: '/servers/x/mcp?y=1',
  headers: ['host', 'gw.example.com', 'authorization', 'Bearer t'],
  body: '{"a":1}',
  signal,
});

async function piecesOf(body: AsyncIterable<Uint8Array> | undefined): Promise<readonly Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(piece);
  return pieces;
}

describe('another replica', () => {
  it('is every peer but this one, and gets the request as it is', async () => {
    const others = known(
      await listening((incoming, response) => {
        const echo = async (): Promise<void> => {
          const { host, authorization } = incoming.headers;
          response.writeHead(202, { 'retry-after': '3' });
          const body = await text(incoming);
          response.end(JSON.stringify([incoming.method, incoming.url, host, authorization, body]));
        };
        void echo();
      }),
    );
    expect(others.names).toEqual(['b']);
    const answer = await others.send('b', request());
    expect(answer).toMatchObject({ status: 202, headers: { 'retry-after': '3' } });
    if (answer === undefined) throw new Error('no answer');
    const chunks = await piecesOf(answer.body);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toEqual([
      'POST',
      '/servers/x/mcp?y=1',
      'gw.example.com',
      'Bearer t',
      '{"a":1}',
    ]);
  });

  it('that cannot be reached, or that nobody knows, was sent nothing', async () => {
    const gone = await listening(() => undefined);
    const [server] = servers.splice(0);
    await new Promise((resolve) => server?.close(resolve));
    expect(await known(gone).send('b', request())).toBeUndefined();
    expect(await known(gone).send('c', request())).toBeUndefined();
    expect(composeReplicas({ replicas: undefined }, egress).names).toEqual([]);
  });

  it('that breaks off may have done something', async () => {
    const before = known(await listening((incoming) => incoming.socket.destroy()));
    await expect(before.send('b', request())).rejects.toThrow(/closed|ended|reset/iu);
    const within = known(
      await listening((incoming, response) => {
        response.writeHead(200, { 'content-length': '10' });
        response.write('half', () => incoming.socket.destroy());
      }),
    );
    const answer = await within.send('b', request());
    await expect(piecesOf(answer?.body)).rejects.toThrow(/closed|ended|reset/iu);
  });

  it('hears that nobody waits any more', async () => {
    const left = Promise.withResolvers<void>();
    const gone = new AbortController();
    const others = known(
      await listening((_incoming, response) => {
        response.on('close', () => left.resolve());
        response.writeHead(200).write('begun');
      }),
    );
    const answer = await others.send('b', request(gone.signal));
    gone.abort();
    await left.promise;
    await expect(piecesOf(answer?.body)).rejects.toThrow(/abort/iu);
  });
});
