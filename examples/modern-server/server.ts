/**
 * A small MCP server of the 2026-07-28 revision, built on the official SDK: units, dates and text, which language models
 * are bad at and computers are good at. It keeps no state, so every request stands for itself.
 *
 *     node examples/modern-server/server.ts [--port 3002]     (port 0 picks one; the URL is printed)
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';

import { registerContent } from './content.ts';
import { registerTools } from './tools.ts';

function createToolbox(): McpServer {
  const server = new McpServer(
    { name: 'toolbox', title: 'Toolbox', version: '1.0.0' },
    { instructions: 'Exact answers about units, dates and texts. Use it instead of calculating yourself.' },
  );
  registerTools(server);
  registerContent(server);
  return server;
}

const { values } = parseArgs({ options: { port: { type: 'string', default: '3002' } } });
const handler = toNodeHandler(createMcpHandler(createToolbox, { legacy: 'reject' }));

const http = createServer((request, response) => {
  // The adapter's type has no room for the `undefined`s of Node's own.
  if (request.url === '/mcp') void handler(request as Parameters<typeof handler>[0], response);
  else response.writeHead(404).end();
});

http.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = http.address() as AddressInfo;
  process.stdout.write(`toolbox on http://127.0.0.1:${port}/mcp\n`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    http.close();
    http.closeAllConnections();
  });
}
