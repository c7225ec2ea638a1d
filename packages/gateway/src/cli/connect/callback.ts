/** Where the browser comes back to after a log-in: a listener on this machine, for one answer (RFC 8252 section 7.3). */

import { createServer, type Server } from 'node:http';

export type Callback = {
  readonly redirectUri: string;
  /** The address that the browser came back to, with the answer in it. Rejects when the signal ends the wait. */
  readonly arrived: Promise<URL>;
  close(): void;
};

const PATH = '/callback';

const PAGE = `<!doctype html><meta charset="utf-8"><title>Logged in</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>You can close this page.</h1><p>Sallyport has what it needs; go back to your application.</p>`;

/** Listens where an earlier log-in did, if that is free, else anywhere. @throws the system's error */
export async function awaitCallback(wanted: string | undefined, signal: AbortSignal): Promise<Callback> {
  const { promise: arrived, resolve, reject } = Promise.withResolvers<URL>();
  // Whoever awaits it hears of it; nobody may be there yet.
  arrived.catch(() => undefined);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', redirectUriOf(server));
    // Pages of any site can send a browser here; what counts is the answer's `state`, which the grant checks.
    if (
      url.pathname !== PATH ||
      request.method !== 'GET' ||
      !(url.searchParams.has('code') || url.searchParams.has('error'))
    ) {
      response.writeHead(404).end();
      return;
    }
    const headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', connection: 'close' };
    response
      .writeHead(200, { ...headers, 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" })
      .end(PAGE);
    resolve(url);
  });
  await listen(server, wanted === undefined ? 0 : Number(new URL(wanted).port));
  const stop = (): void => reject(new Error('nobody logged in, and it is no longer waited for'));
  signal.addEventListener('abort', stop, { once: true });
  return {
    redirectUri: redirectUriOf(server),
    arrived,
    close() {
      signal.removeEventListener('abort', stop);
      server.close();
      server.closeAllConnections();
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  const at = (wanted: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(wanted, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  try {
    await at(port);
  } catch (error) {
    if (port === 0) throw error;
    await at(0);
  }
}

function redirectUriOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the listener for the log-in has no port');
  return `http://127.0.0.1:${address.port}${PATH}`;
}
