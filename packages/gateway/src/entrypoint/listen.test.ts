import { createServer } from 'node:http';

import { describe, expect, test } from 'vitest';

import { listen, ListenError } from './listen.ts';

describe('listen', () => {
  test('finds a free port when asked for port 0', async () => {
    const server = createServer();
    expect(await listen(server, { host: '127.0.0.1', port: 0 })).toEqual({
      host: '127.0.0.1',
      port: expect.any(Number),
    });
    server.close();
  });

  test('says which port is in use', async () => {
    const [first, second] = [createServer(), createServer()];
    const { port } = await listen(first, { host: '127.0.0.1', port: 0 });
    const failed = await listen(second, { host: '127.0.0.1', port }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ListenError);
    expect(failed).toMatchObject({ problem: 'in-use', address: { host: '127.0.0.1', port } });
    expect(String(failed)).toContain(`Port ${port} on 127.0.0.1 is already in use.`);
    first.close();
  });

  test('can be tried again with another port', async () => {
    const [first, second] = [createServer(), createServer()];
    const { port } = await listen(first, { host: '127.0.0.1', port: 0 });
    await expect(listen(second, { host: '127.0.0.1', port })).rejects.toThrow(ListenError);
    expect((await listen(second, { host: '127.0.0.1', port: 0 })).port).not.toBe(port);
    first.close();
    second.close();
  });

  test('says when the address is not of this machine', async () => {
    const failed = await listen(createServer(), { host: '192.0.2.1', port: 0 }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ problem: 'no-such-address' });
    expect(String(failed)).toContain('192.0.2.1 is not an address of this machine');
  });
});
