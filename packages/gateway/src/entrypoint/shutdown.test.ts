import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { describe, expect, test } from 'vitest';

import { legacyBody, modernCall, open, openSession, promised, send, start, value } from './entrypoint.fixtures.ts';

const call = modernCall();
describe('close', () => {
  test('lets calls finish, on connections that are then closed, and takes no new ones', async () => {
    const { promise: asked, keep: ask } = promised();
    const { promise: done, keep: finish } = promised();
    const { port, entrypoint } = await start(async () => {
      ask();
      await done;
      return value({ content: [] });
    });
    const running = send(port, call);
    await asked;
    expect(entrypoint.draining).toBe(false);
    const closed = entrypoint.close(60_000);
    expect(entrypoint.draining).toBe(true);
    await expect(send(port, call)).rejects.toThrow('ECONNREFUSED');
    finish();
    expect(await running).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await closed;
  });

  test('answers 503 to a request that was on its way, and says when to try again', async () => {
    const { port, entrypoint } = await start();
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`);
    // Whatever arrived before this round trip, the gateway has seen by its end.
    expect((await send(port, call)).status).toBe(200);
    const closed = entrypoint.close(60_000);
    socket.write('Content-Length: 0\r\n\r\n');
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toMatch(/\r\nretry-after: 1\r\n/i);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(answer).toContain('"reason":"draining"');
    await closed;
  });

  test('cancels what has not finished when the time is over', async () => {
    const { promise: asked, keep: ask } = promised();
    const { promise: aborted, keep: abort } = promised();
    const { port, entrypoint } = await start(async (_request, { signal }) => {
      signal.addEventListener('abort', () => abort());
      ask();
      await aborted;
      return { kind: 'failed', failure: { code: 'cancelled', sent: 'maybe' } };
    });
    const running = send(port, call);
    await asked;
    await entrypoint.close(10);
    expect(JSON.parse((await running).text)).toMatchObject({ error: { data: { reason: 'cancelled' } } });
  });

  test('cuts off what does not even heed that', async () => {
    const { promise: asked, keep: ask } = promised();
    const { port, entrypoint } = await start(() => {
      ask();
      return new Promise(() => undefined);
    });
    const running = send(port, call).catch((error: unknown) => String(error));
    await asked;
    await entrypoint.close(10);
    expect(await running).toContain('socket hang up');
  });

  test('ends open streams at once', async () => {
    const { port, entrypoint, streams } = await start();
    const session = await openSession(port);
    const stream = await open(port, { method: 'GET', headers: session });
    const ended = text(stream);
    await entrypoint.close(60_000);
    expect(await ended).toBe(':\n\n');
    expect(streams.open).toBe(0);
  });

  test('is the same whoever calls it again, and also before it ever listened', async () => {
    const { entrypoint } = await start();
    await Promise.all([entrypoint.close(0), entrypoint.close(0)]);
    await entrypoint.close(0);
  });
});

describe('the limits of the whole', () => {
  test('requests in flight beyond the bound are 503, and the others go on', async () => {
    const { promise: asked, keep: ask } = promised();
    const { promise: done, keep: finish } = promised();
    const { port, entrypoint } = await start(
      async () => {
        ask();
        await done;
        return value({ content: [] });
      },
      { limits: { maxConcurrent: 1 } },
    );
    const running = send(port, call);
    await asked;
    const refused = await send(port, call);
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(JSON.parse(refused.text)).toMatchObject({ error: { data: { reason: 'overloaded' } } });
    finish();
    expect((await running).status).toBe(200);
    expect((await send(port, call)).status).toBe(200);
    await entrypoint.close(0);
  });

  test('connections beyond the bound are closed', async () => {
    const { port, entrypoint } = await start(undefined, { limits: { maxConnections: 1 } });
    const session = await openSession(port);
    const stream = await open(port, { method: 'GET', headers: session });
    await expect(send(port, { headers: session, body: legacyBody('ping') })).rejects.toThrow(/hang up|ECONNRESET/);
    stream.on('error', () => undefined);
    await entrypoint.close(0);
  });

  test.each([
    { maxBodyBytes: 0 },
    { quietMs: -1 },
    { maxStreams: 1.5 },
    { keepAliveMs: Number.NaN },
    { timeoutMs: 2 ** 31 },
  ])('are refused when they bound nothing: %j', async (limits) => {
    await expect(start(undefined, { limits })).rejects.toThrow(/^limits\./);
  });

  test('a pipeline that throws is 500, logged, and takes nothing else with it', async () => {
    let calls = 0;
    const { port, entrypoint, logged } = await start(() => {
      calls += 1;
      if (calls === 1) throw new Error('a fault of ours');
      return value({ content: [] });
    });
    expect((await send(port, call)).status).toBe(500);
    expect(logged.join()).toContain('a request failed at the door');
    expect((await send(port, call)).status).toBe(200);
    await entrypoint.close(0);
  });
});
