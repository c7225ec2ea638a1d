/**
 * The matrix's modern server: the official SDK v2 at 2026-07-28 only, over stdio or stateless HTTP.
 *
 *     node test/matrix/modern-upstream.ts stdio | http
 */

import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

import { serveHttp } from './http.ts';
import * as offer from './offer.ts';

function createModernServer(): Server {
  const server = new Server(
    { name: 'matrix-modern', version: '1.0.0' },
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
  server.setRequestHandler('tools/list', ({ params }) => offer.toolPage(params?.cursor));
  server.setRequestHandler('tools/call', ({ params }, context) =>
    offer.callTool(params.name, params.arguments ?? {}, {
      meta: context.mcpReq._meta ?? {},
      touched: (uri) => touched(server, uri),
      report: async (progress) => {
        const progressToken = context.mcpReq._meta?.progressToken;
        if (progressToken === undefined) return;
        await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...progress } });
      },
      log: (level, data) => context.mcpReq.log(level, data),
    }),
  );
  server.setRequestHandler('resources/list', () => ({ resources: offer.RESOURCES }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: offer.TEMPLATES }));
  server.setRequestHandler('resources/read', ({ params }) => offer.readResource(params.uri, -32_602));
  server.setRequestHandler('prompts/list', () => ({ prompts: offer.PROMPTS }));
  server.setRequestHandler('prompts/get', ({ params }) => offer.getPrompt(params.name, params.arguments ?? {}));
  server.setRequestHandler('completion/complete', ({ params }) => offer.complete(params.argument.value));
  return server;
}

/** Over stdio the server tells it itself; over HTTP each request has a server of its own, and the handler tells. */
let touched = (server: Server, uri: string): Promise<void> => server.sendResourceUpdated({ uri });

if (process.argv[2] === 'http') {
  const handler = createMcpHandler(createModernServer, { legacy: 'reject' });
  touched = async (_server, uri) => handler.notify.resourceUpdated(uri);
  offer.onToggle(() => handler.notify.toolsChanged());
  const handle = toNodeHandler(handler);
  await serveHttp((request, response, body) => handle(request as Parameters<typeof handle>[0], response, body));
} else {
  let server: Server | undefined;
  // One that is not connected yet has nobody to tell.
  offer.onToggle(() => void server?.sendToolListChanged().catch(() => undefined));
  serveStdio(() => (server = createModernServer()), { legacy: 'reject' });
}
