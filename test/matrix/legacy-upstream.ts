/**
 * The matrix's legacy server: the official SDK v1, over stdio or Streamable HTTP with sessions.
 *
 *     node test/matrix/legacy-upstream.ts stdio | http
 */

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
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

import * as offer from './offer.ts';
import { serveLegacy } from './serve-legacy.ts';

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

await serveLegacy(process.argv[2], createLegacyServer);
