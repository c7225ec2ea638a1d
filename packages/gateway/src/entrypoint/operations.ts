/**
 * The listener for operators: metrics, health and status. Apart from the endpoints, and on loopback unless the operator
 * says otherwise, because what it shows is not for callers.
 */

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';

import type { JsonObject } from '../model/json.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createHostGuard } from './host-guard.ts';
import { readHeaders } from './inbound-headers.ts';
import type { ListenAddress } from './listen.ts';
import { listen } from './listen.ts';

/** Text, or bytes in pieces. */
type Body = string | readonly Uint8Array[];

/** A body and its media type: Prometheus has one of its own. */
export type Metrics = { readonly contentType: string; readonly body: Body };

export type OperationsOptions = {
  readonly metrics: () => Metrics | Promise<Metrics>;
  /** Undefined when ready, else the reason for a person: starting, draining, a dependency that is away. */
  readonly notReady: () => string | undefined;
  readonly status: () => JsonObject;
  /** Who is calling what now, of all tenants. */
  readonly live: () => JsonObject;
  /** What servers are called with, of all tenants. Never a value. */
  readonly credentials: () => Promise<JsonObject>;
  /** The input schemas of all tools by their addresses: what it takes to explain a decision as it would be made. */
  readonly schemas: () => JsonObject;
  /** Beside loopback names with our port: what a scraper in a cluster sends. `name` or `name:port`. */
  readonly allowedHosts: readonly string[];
  readonly logger: Logger;
};

export type OperationsListener = {
  /** @throws ListenError */
  listen(address: ListenAddress): Promise<ListenAddress>;
  /** Closes at once: call it last, so that readiness can be asked for while the gateway drains. Idempotent. */
  close(): Promise<void>;
};

type OperationsAnswer = { readonly status: number; readonly contentType: string; readonly body: Body };

const HEADER_BYTES = 8 * 1024;
const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 100;

const text = (status: number, body: string): OperationsAnswer => ({
  status,
  contentType: 'text/plain',
  body: `${body}\n`,
});

const json = (status: number, value: JsonObject): OperationsAnswer => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(value)}\n`,
});

export function createOperationsListener(options: OperationsOptions): OperationsListener {
  const { allowedHosts, logger } = options;
  const guard = createHostGuard({ publicUrl: 'http://localhost', allowedHosts, allowedOrigins: [] });
  let port = 0;

  async function answer(request: IncomingMessage): Promise<OperationsAnswer> {
    const { host, origin, repeated } = readHeaders(request.rawHeaders);
    // HTTP/1.0 knows no Host, and load balancers check with it (haproxy's httpchk); browsers, who can be lured, always send one.
    const lacksHost = host === undefined && request.httpVersion !== '1.0';
    if (repeated !== undefined || lacksHost) return text(400, 'One Host header is needed.');
    // A rebound name is a name: who writes an address, as probes of an orchestrator do, was lured by nobody.
    if (host !== undefined && !guard.hostAllowed(host, port) && !isAddress(host)) {
      return text(403, 'The Host header names another host. Use the address that the gateway printed.');
    }
    // No page in a browser has business here.
    if (origin !== undefined) return text(403, 'Requests from web pages are not allowed.');
    const route = ROUTES.get((request.url ?? '').split('?', 1)[0] ?? '');
    if (route === undefined)
      return text(404, 'There is /metrics, /healthz, /readyz, /status, /live, /credentials and /schemas.');
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'Only GET is offered.');
    return route(options);
  }

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    let found: OperationsAnswer;
    try {
      found = await answer(request);
    } catch (error) {
      logger.error({ err: error }, 'the operations listener failed');
      found = text(500, 'The gateway failed. The reason is in its log.');
    }
    if (response.destroyed) return;
    const pieces = typeof found.body === 'string' ? [found.body] : found.body;
    const headers = {
      'Content-Type': found.contentType,
      'Content-Length': pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0),
      'Cache-Control': 'no-store',
      ...(found.status === 405 ? { Allow: 'GET, HEAD' } : {}),
    };
    response.writeHead(found.status, headers);
    for (const piece of pieces) response.write(piece);
    response.end();
  }

  const server = createServer(
    { maxHeaderSize: HEADER_BYTES, headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, requireHostHeader: false },
    (request, response) => void receive(request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;

  return {
    async listen(address) {
      const bound = await listen(server, address);
      port = bound.port;
      return bound;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** `10.0.0.7`, `10.0.0.7:9090`, `[::1]:9090`. */
const isAddress = (host: string): boolean => isIP(/^\[?([0-9a-f.:]+?)\]?(?::\d{1,5})?$/i.exec(host)?.[1] ?? '') !== 0;

type Route = (options: OperationsOptions) => OperationsAnswer | Promise<OperationsAnswer>;

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/metrics', async ({ metrics }) => ({ status: 200, ...(await metrics()) })],
  // Alive is who answers; what is behind the gateway must not get it restarted.
  ['/healthz', () => text(200, 'ok')],
  [
    '/readyz',
    ({ notReady }) => {
      const reason = notReady();
      return reason === undefined ? text(200, 'ready') : text(503, reason);
    },
  ],
  ['/status', ({ status }) => json(200, status())],
  ['/live', ({ live }) => json(200, live())],
  ['/credentials', async ({ credentials }) => json(200, await credentials())],
  ['/schemas', ({ schemas }) => json(200, schemas())],
]);
