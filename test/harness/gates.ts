/**
 * Gates that a server in another process waits at until the test opens them: so a test says "before" and "after" without
 * a clock. The server asks with `GET <url>/<name>`.
 */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { until } from './until.ts';

export type Gates = {
  readonly url: string;
  /** How many wait at the gate, clients that went away not counted. */
  waiting(name: string): number;
  /** Resolves when as many have come to the gate. */
  reached(name: string, count?: number): Promise<void>;
  /** Lets everyone at the gate pass. */
  open(name: string): void;
  close(): Promise<void>;
};

export async function startGates(): Promise<Gates> {
  const held = new Map<string, Set<ServerResponse>>();
  const at = (name: string): Set<ServerResponse> => {
    const set = held.get(name) ?? new Set();
    held.set(name, set);
    return set;
  };
  const server = createServer((request, response) => {
    const set = at((request.url ?? '/').slice(1));
    set.add(response);
    response.on('close', () => set.delete(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting: (name) => at(name).size,
    async reached(name, count = 1) {
      await until(`${count} at the gate ${name}`, () => at(name).size >= count);
    },
    open(name) {
      for (const response of at(name)) response.end('go');
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
