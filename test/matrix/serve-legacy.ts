/** Serves a server of the official SDK v1: with sessions over HTTP, or over stdio, as the command line says. */

import { randomUUID } from 'node:crypto';

import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

import { serveHttp } from './http.ts';

// The SDK's transports declare optional members that `exactOptionalPropertyTypes` tells apart from absent ones.
const connect = (server: Server, transport: unknown) => server.connect(transport as Transport);

/** `create` makes one server a session. */
export async function serveLegacy(kind: string | undefined, create: () => Server): Promise<void> {
  if (kind !== 'http') return connect(create(), new StdioServerTransport());
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  await serveHttp(async (request, response, body) => {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id) : undefined;
    if (known !== undefined) return known.handleRequest(request, response, body);
    const opens = typeof body === 'object' && body !== null && 'method' in body && body.method === 'initialize';
    if (!opens) {
      const error = { code: -32_000, message: 'Bad Request: no valid session' };
      response.writeHead(id === undefined ? 400 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', error, id: null }));
      return;
    }
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => void sessions.set(session, transport),
    });
    await connect(create(), transport);
    return transport.handleRequest(request, response, body);
  });
}
