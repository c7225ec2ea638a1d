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
  LoggingLevelSchema,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

import * as offer from './offer.ts';
import { serveLegacy } from './serve-legacy.ts';

const LEVELS: readonly string[] = LoggingLevelSchema.options;

function createLegacyServer(): Server {
  const server = new Server(
    { name: 'matrix-legacy', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: {},
        completions: {},
        logging: {},
      },
      instructions: offer.INSTRUCTIONS,
    },
  );
  // Says nothing unless it was told to: so what arrives was asked for.
  let least = LEVELS.length;
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    least = LEVELS.findIndex((level) => level === params.level);
    return {};
  });
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => offer.toolPage(params?.cursor));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    offer.callTool(params.name, params.arguments ?? {}, {
      meta: params._meta ?? {},
      touched,
      report: async (progress) => {
        const progressToken = params._meta?.progressToken;
        if (progressToken === undefined) return;
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, ...progress } });
      },
      log: async (level, data) => {
        if (LEVELS.indexOf(level) < least) return;
        await extra.sendNotification({ method: 'notifications/message', params: { level, data } });
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
  const subscribed = new Set<string>();
  sessions.set(server, subscribed);
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
  return server;
}

/** Each with what its client is subscribed to. */
const sessions = new Map<Server, Set<string>>();

const touched: offer.CallContext['touched'] = async (uri) => {
  for (const [server, subscribed] of sessions) {
    if (subscribed.has(uri)) await server.sendResourceUpdated({ uri });
  }
};

offer.onToggle(() => {
  for (const server of sessions.keys()) void server.sendToolListChanged();
});

await serveLegacy(process.argv[2], createLegacyServer);
