/** A legacy server loses its sessions, or breaks off: who called it notices only what may have been done, and nothing is done twice. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { CLIENT_KINDS, connectClient } from './matrix/clients.ts';

/** What the server does with the next call, instead of answering it. */
type Fault = 'forgets, 404' | 'forgets, 400' | 'breaks off';
type Rpc = { readonly id?: number; readonly method?: string; readonly params?: { readonly name?: string } };

let fault: Fault | undefined;
let sessions = new Set<string>();
let opened = 0;
let done = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const session = String(request.headers['mcp-session-id'] ?? '');
    answer(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Rpc, session, response);
  });
});

function answer({ id, method, params }: Rpc, session: string, response: ServerResponse): void {
  const reply = (body: object, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
  };
  if (method === 'initialize') {
    opened += 1;
    sessions.add(`session-${opened}`);
    response.setHeader('mcp-session-id', `session-${opened}`);
    const serverInfo = { name: 'forgetful', version: '1' };
    return reply({ result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } });
  }
  const now = method === 'tools/call' ? fault : undefined;
  if (now === 'forgets, 404' || now === 'forgets, 400') sessions = new Set();
  if (!sessions.has(session)) {
    fault = undefined;
    const error = { code: -32_000, message: 'Bad Request: Server not initialized' };
    return now === 'forgets, 404' ? void response.writeHead(404).end() : reply({ id: null, error }, 400);
  }
  if (id === undefined) return void response.writeHead(202).end();
  if (method === 'tools/list') {
    return reply({ result: { tools: ['add', 'put'].map((name) => ({ name, inputSchema: { type: 'object' } })) } });
  }
  if (method !== 'tools/call') return reply({ error: { code: -32_601, message: 'Method not found' } });
  done += 1;
  fault = undefined;
  if (now === 'breaks off') return void response.destroy();
  reply({ result: { content: [{ type: 'text', text: `${params?.name} done` }] } });
}

let gateway: TestGateway;

/** A server that keeps losing sessions is not asked for a while, so each case has one of its own. */
const CASES = 12;
let cases = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const allow = 'allow: [{ anyone: true, tools: ["*"] }], tools: { put: { idempotent: true } }';
  const names = Array.from({ length: CASES }, (_, index) => `s${index}: { url: "${url}", ${allow} }`);
  gateway = await startTestGateway({ yaml: `servers: { ${names.join(', ')} }` });
});

beforeEach(() => {
  fault = undefined;
  done = 0;
});

afterAll(async () => {
  await gateway?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function called(kind: (typeof CLIENT_KINDS)[number], name: string, how: Fault): Promise<string> {
  const client = await connectClient(kind, `${gateway.url}/servers/s${cases++}/mcp`, gateway.keys['alice'] ?? '');
  try {
    await client.callTool({ name: 'put', arguments: {} });
    done = 0;
    fault = how;
    return JSON.stringify(await client.callTool({ name, arguments: {} }));
  } finally {
    await client.close();
  }
}

it.each(CLIENT_KINDS.flatMap((kind) => (['forgets, 404', 'forgets, 400'] as const).map((how) => [kind, how] as const)))(
  'a client of %s does not notice a server that %s, and its call is made once',
  async (kind, how) => {
    const before = opened;
    expect(await called(kind, 'add', how)).toContain('add done');
    expect(done).toBe(1);
    expect(opened).toBeGreaterThan(before);
  },
);

it.each(CLIENT_KINDS)(
  'a client of %s hears of a call that may have been made, which is not made again',
  async (kind) => {
    await expect(called(kind, 'add', 'breaks off')).rejects.toThrow(/ended the connection/);
    expect(done).toBe(1);
  },
);

it.each(CLIENT_KINDS)(
  'a client of %s does not notice where the operator says that twice is as good as once',
  async (kind) => {
    expect(await called(kind, 'put', 'breaks off')).toContain('put done');
    expect(done).toBe(2);
  },
);
