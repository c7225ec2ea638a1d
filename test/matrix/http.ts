/**
 * The HTTP around the matrix's servers: any free loopback port, or `TEST_PORT` for one that comes back, told on standard
 * output; ends with standard input.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Serve = (request: IncomingMessage, response: ServerResponse, body: unknown) => Promise<void>;

export async function serveHttp(serve: Serve): Promise<void> {
  const server = createServer((request, response) => {
    void (async () => {
      try {
        await serve(request, response, request.method === 'POST' ? await readJson(request) : undefined);
      } catch (error) {
        response.destroy(error instanceof Error ? error : undefined);
      }
    })();
  });
  await new Promise<void>((resolve) => server.listen(Number(process.env['TEST_PORT'] ?? 0), '127.0.0.1', resolve));
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp\n`);
  // Whoever started this ends it by closing the pipe, or by dying.
  process.stdin.resume().on('end', () => process.exit(0));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
