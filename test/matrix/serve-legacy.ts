/**
 * Serves a server of the official SDK v1: with sessions over HTTP, over HTTP+SSE as in 2024-11-05, or over stdio, as the
 * command line says.
 */

import { randomUUID } from 'node:crypto';

import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

import { serveHttp } from './http.ts';

// The SDK's transports declare optional members that `exactOptionalPropertyTypes` tells apart from absent ones.
const connect = (server: Server, transport: unknown) => server.connect(transport as Transport);

/** `create` makes one server a session. */
export async function serveLegacy(kind: string | undefined, create: () => Server): Promise<void> {
  if (kind === 'sse') return serveSse(create);
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

/** As the SDK's example does it: the stream at one path, messages at another, and nothing else anywhere. */
async function serveSse(create: () => Server): Promise<void> {
  const sessions = new Map<string, SSEServerTransport>();
  await serveHttp(async (request, response, body) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    if (request.method === 'GET' && pathname === '/mcp') {
      const transport = new SSEServerTransport('/messages', response);
      sessions.set(transport.sessionId, transport);
      response.on('close', () => sessions.delete(transport.sessionId));
      return connect(create(), transport);
    }
    const known = sessions.get(searchParams.get('sessionId') ?? '');
    if (request.method === 'POST' && pathname === '/messages') {
      if (known !== undefined) return known.handlePostMessage(request, response, body);
      response.writeHead(400).end('No transport found for sessionId');
      return;
    }
    response.writeHead(404).end(`Cannot ${request.method} ${pathname}`);
  });
}
