/** What a client on a person's machine opens for a moment: a port of loopback on which it awaits the provider's answer. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Listener = {
  readonly redirectUrl: string;
  /** A document about the client, for providers that take its address for a name. */
  readonly documentUrl: string;
  /** The next answer. */
  arrived(): Promise<URL>;
  close(): Promise<void>;
};

export async function startListener(name: string): Promise<Listener> {
  const waiting: ((url: URL) => void)[] = [];
  const early: URL[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', origin);
    if (url.pathname === '/client.json') {
      const client = { client_id: documentUrl, client_name: name, redirect_uris: [redirectUrl] };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(client));
      return;
    }
    response.setHeader('content-type', 'text/plain').end('You may close this window.\n');
    if (url.pathname !== '/callback') return;
    const wake = waiting.shift();
    if (wake === undefined) early.push(url);
    else wake(url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const redirectUrl = `${origin}/callback`;
  const documentUrl = `${origin}/client.json`;
  return {
    redirectUrl,
    documentUrl,
    arrived: async () => early.shift() ?? new Promise((resolve) => waiting.push(resolve)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
