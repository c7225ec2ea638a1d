/** The HTTP server of the front door, plain or with TLS, before anything listens to what arrives. */

import { createServer } from 'node:http';
import type { Server, ServerOptions } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';

import type { EntrypointLimits } from './limits.ts';
import type { TlsMaterial, TlsOptions } from './tls.ts';
import { secureContext, secureServerOptions } from './tls.ts';

export type Listener = {
  readonly server: Server;
  /** For connections that begin from now on. @throws when it cannot be used; nothing changes then. */
  replaceTls(material: TlsMaterial): void;
};

export function createListener(tls: TlsOptions | undefined, limits: EntrypointLimits): Listener {
  const options: ServerOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    // Behind the timer of the body itself, which can say what happened.
    requestTimeout: limits.headersTimeoutMs + limits.bodyTimeoutMs + 5_000,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
    insecureHTTPParser: false,
    // We refuse a missing Host ourselves, with a body.
    requireHostHeader: false,
  };
  if (tls === undefined) {
    const replaceTls = (): never => {
      throw new Error('The listener speaks plain HTTP.');
    };
    return { server: createServer(options), replaceTls };
  }
  const server = createSecureServer({ ...options, ...secureServerOptions(tls, limits.headersTimeoutMs) });
  cutHandshakesWithTheRest(server);
  return { server, replaceTls: (material) => server.setSecureContext(secureContext({ ...tls, material })) };
}

/** Node closes the connections that speak HTTP; one that is still shaking hands would keep the listener from closing. */
function cutHandshakesWithTheRest(server: Server): void {
  // Bounded by `maxConnections`.
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  const closeAll = server.closeAllConnections.bind(server);
  server.closeAllConnections = () => {
    closeAll();
    for (const socket of open) socket.destroy();
  };
}
