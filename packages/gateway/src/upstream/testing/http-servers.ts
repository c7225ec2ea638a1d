/** For the tests of `http/`: servers over real HTTP that answer as they are told, and what they were asked. */

import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { Server as NetServer, Socket } from 'node:net';
import { once } from 'node:events';

import { isJsonObject } from '../../model/json.ts';
import type { JsonObject } from '../../model/json.ts';

export type Cleanups = (() => Promise<unknown>)[];

export type Asked = {
  readonly http: string;
  readonly headers: IncomingHttpHeaders;
  readonly id: number | string | undefined;
  readonly method: string;
  readonly params: JsonObject;
  /** The message as it came: an answer to a question of the server's has no method. */
  readonly message: JsonObject;
};

export type Respond = (asked: Asked, response: ServerResponse) => void;

export type TestServer = { readonly url: URL; readonly asked: Asked[]; readonly server: Server; methods(): string[] };

export async function listen(server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address === 'string' || address === null) throw new Error('no address');
  return address.port;
}

export async function serve(cleanups: Cleanups, listener: RequestListener): Promise<{ url: URL; server: Server }> {
  const server = createServer(listener);
  const port = await listen(server);
  cleanups.push(() => stop(server));
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), server };
}

export async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

async function bodyOf(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : JSON.parse(text);
}

/** A server whose every answer is `respond`'s to write. */
export async function serveRpc(cleanups: Cleanups, respond: Respond): Promise<TestServer> {
  const asked: Asked[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const message = await bodyOf(request);
    const { id, method, params } = message;
    const one: Asked = {
      http: request.method ?? '',
      headers: request.headers,
      id: typeof id === 'number' || typeof id === 'string' ? id : undefined,
      method: typeof method === 'string' ? method : '',
      params: isJsonObject(params) ? params : {},
      message,
    };
    asked.push(one);
    respond(one, response);
  };
  const { url, server } = await serve(cleanups, (request, response) => void handle(request, response));
  return { url, asked, server, methods: () => asked.map((one) => one.method || one.http) };
}

export const json = (response: ServerResponse, value: unknown, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
};

export const resultOf = (asked: Asked, result: JsonObject): JsonObject => ({
  jsonrpc: '2.0',
  id: asked.id ?? null,
  result,
});

export const errorOf = (
  id: number | string | null | undefined,
  code: number,
  message = 'no',
  data?: JsonObject,
): JsonObject => ({
  jsonrpc: '2.0',
  id: id ?? null,
  error: { code, message, ...(data === undefined ? {} : { data }) },
});

export const DISCOVERED: JsonObject = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {} },
  ttlMs: 60_000,
  cacheScope: 'public',
  _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'modern', version: '1' } },
};

export const SESSION_ID = 'session-1';

export const INITIALIZED: JsonObject = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: {} },
  serverInfo: { name: 'legacy', version: '1' },
};

/** Answers `server/discover` as a modern server does, and the rest as `respond` says. */
export const asModern =
  (respond: Respond): Respond =>
  (asked, response) => {
    if (asked.method === 'server/discover') json(response, resultOf(asked, DISCOVERED));
    else respond(asked, response);
  };

/** Answers as a legacy server with sessions does, and the rest as `respond` says. */
export const asLegacy =
  (respond: Respond): Respond =>
  (asked, response) => {
    if (asked.method === 'server/discover') {
      json(response, errorOf(null, -32000, 'Bad Request: Server not initialized'), 400);
    } else if (asked.method === 'initialize') {
      response.setHeader('mcp-session-id', SESSION_ID);
      json(response, resultOf(asked, INITIALIZED));
    } else if (asked.id === undefined && asked.http === 'POST' && asked.message['result'] === undefined) {
      response.writeHead(202).end();
      respond(asked, response);
    } else if (asked.http === 'DELETE') {
      response.writeHead(204).end();
    } else {
      respond(asked, response);
    }
  };

export const openEvents = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
};

export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

/** A server that is none: it reads a request and answers bytes. */
export async function serveBytes(cleanups: Cleanups, answer: (socket: Socket, request: string) => void): Promise<URL> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => answer(socket, data.toString('latin1')));
  });
  const port = await listen(server);
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return new URL(`http://127.0.0.1:${port}/mcp`);
}
