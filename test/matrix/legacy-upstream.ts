/**
 * The matrix's legacy server: the official SDK v1, over stdio or Streamable HTTP with sessions.
 *
 *     node test/matrix/legacy-upstream.ts stdio | http
 */

import { randomUUID } from 'node:crypto';

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

import { serveHttp } from './http.ts';
import * as offer from './offer.ts';

function createLegacyServer(): Server {
  const server = new Server(
    { name: 'matrix-legacy', version: '1.0.0' },
    { capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} }, instructions: offer.INSTRUCTIONS },
  );
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => offer.toolPage(params?.cursor));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    offer.callTool(params.name, params.arguments ?? {}, {
      meta: params._meta ?? {},
      report: async (progress) => {
        const progressToken = params._meta?.progressToken;
        if (progressToken === undefined) return;
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, ...progress } });
      },
    }),
  );
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: offer.RESOURCES }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: offer.TEMPLATES }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => offer.readResource(params.uri, -32_002));
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: offer.PROMPTS }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) =>
    offer.getPrompt(params.name, params.arguments ?? {}),
  );
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => offer.complete(params.argument.value));
  return server;
}

// The SDK's transports declare optional members that `exactOptionalPropertyTypes` tells apart from absent ones.
const connect = (server: Server, transport: unknown) => server.connect(transport as Transport);

if (process.argv[2] === 'http') {
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
    await connect(createLegacyServer(), transport);
    return transport.handleRequest(request, response, body);
  });
} else {
  await connect(createLegacyServer(), new StdioServerTransport());
}
