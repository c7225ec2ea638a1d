/**
 * Connections that are cut in the middle of a call: between a client of the official SDKs and the gateway, and between the
 * gateway and a server. Nothing is lost, and nothing is done twice.
 */

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startCutProxy, type CutProxy } from './fixtures/cut-proxy.ts';
import { startResumableServer, type ResumableServer } from './fixtures/resumable-server.ts';
import { startChildServer, type ChildServer } from './harness/child.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer } from './harness/http.ts';
import { until } from './harness/until.ts';
import { connectClient } from './matrix/clients.ts';

let server: ResumableServer;
let asking: ChildServer;
let gateway: TestGateway;
/** Before the gateway, and before the server. */
let clients: CutProxy;
let servers: CutProxy;

beforeAll(async () => {
  server = await startResumableServer();
  asking = await startChildServer('fixtures/legacy-asking-server.ts', 'http');
  clients = await startCutProxy(() => Number(new URL(gateway.url).port));
  servers = await startCutProxy(() => server.port);
  const allow = 'allow: [{ anyone: true, tools: ["*"] }]';
  gateway = await startTestGateway({
    yaml: [
      `allowedHosts: ["127.0.0.1:${clients.port}"]`,
      'resumption: { retry: 20ms }',
      'servers:',
      `  one: { url: "http://127.0.0.1:${servers.port}/mcp", ${allow} }`,
      `  asking: { url: "${asking.url}", ${allow} }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await clients?.close();
  await servers?.close();
  await server?.close();
  await asking?.close();
});

const urlOf = (id: string): string => `http://127.0.0.1:${clients.port}/servers/${id}/mcp`;

function textOf(result: unknown): string | undefined {
  return (result as { content?: readonly { text?: string }[] }).content?.[0]?.text;
}

/** A call that has told its first progress. */
async function begun(kind: 'sdk-v1' | 'sdk-v2-legacy') {
  const client = await connectClient(kind, urlOf('one'), gateway.keys['alice'] ?? '');
  const progress: number[] = [];
  const before = server.seen.calls;
  const result = client.callTool(
    { name: 'count', arguments: {} },
    { onprogress: ({ progress: value }: { progress: number }) => void progress.push(value) },
  );
  await until('the first progress', () => progress.length === 1);
  return { client, progress, result, before };
}

describe.each(['sdk-v1', 'sdk-v2-legacy'] as const)('a client of %s that loses its connection', (kind) => {
  it('gets what it missed, and the rest, of a call that went on', async () => {
    const { client, progress, result, before } = await begun(kind);
    expect(clients.cut()).toBeGreaterThan(0);
    server.tell();
    await until('the client to be told', () => progress.length === 2);
    server.tell();
    server.answer();
    expect(textOf(await result)).toBe('counted to 3');
    expect(progress).toEqual([1, 2, 3]);
    expect(server.seen.calls).toBe(before + 1);
    await client.close();
  });

  it('gets the answer that came while it was away', async () => {
    const { client, result } = await begun(kind);
    clients.cut();
    server.answer();
    expect(textOf(await result)).toBe('counted to 1');
    await client.close();
  });
});

describe('a server that loses its connection', () => {
  it('is asked for the rest, and its tool is called once', async () => {
    const { client, progress, result, before } = await begun('sdk-v1');
    const { returns } = server.seen;
    expect(servers.cut()).toBeGreaterThan(0);
    server.tell();
    await until('the client to be told', () => progress.length === 2);
    server.answer();
    expect(textOf(await result)).toBe('counted to 2');
    expect(server.seen).toEqual({ calls: before + 1, returns: returns + 1 });
    await client.close();
  });

  it('and whose client loses its own at the same time', async () => {
    const { client, progress, result } = await begun('sdk-v1');
    servers.cut();
    clients.cut();
    server.tell();
    server.answer();
    expect(textOf(await result)).toBe('counted to 2');
    expect(progress).toEqual([1, 2]);
    await client.close();
  });
});

describe('a question', () => {
  it('waits for a client that loses its connection before it answers, each of two', async () => {
    const client = new Client({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } });
    let asked = 0;
    client.setRequestHandler(ElicitRequestSchema, async () => {
      asked += 1;
      const before = clients.made();
      clients.cut();
      await until('the client to be back', () => clients.made() > before);
      return { action: 'accept' as const, content: { name: 'Ada' } };
    });
    const requestInit = { headers: bearer(gateway.keys['alice'] ?? '') };
    await client.connect(new StreamableHTTPClientTransport(new URL(urlOf('asking')), { requestInit }));
    expect(textOf(await client.callTool({ name: 'greet', arguments: {} }))).toContain('Ada');
    expect(asked).toBe(2);
    await client.close();
  });
});
