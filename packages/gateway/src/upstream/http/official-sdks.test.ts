import { randomUUID } from 'node:crypto';
import { McpServer as LegacyServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { Operation } from '../../model/operation.ts';
import { cleanUp, connectTo } from '../testing/http-kit.ts';
import { serve } from '../testing/http-servers.ts';
import type { Cleanups } from '../testing/http-servers.ts';
import { callTool, collectNotices, resultText, sendOptions, testCall } from '../testing/test-kit.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

type Session = { readonly transport: StreamableHTTPServerTransport };

/** Sessions as the SDK's own examples keep them; `forget` is a restart of the server. */
async function serveSdk1(enableJsonResponse: boolean) {
  const sessions = new Map<string, Session>();
  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse,
      onsessioninitialized: (id) => void sessions.set(id, { transport }),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    const server = new LegacyServer({ name: 'sdk-1', version: '1.0.0' });
    server.registerTool('echo', { inputSchema: { text: z.string() } }, async ({ text }, extra) => {
      const progressToken = extra._meta?.progressToken;
      if (progressToken !== undefined) {
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
      }
      return { content: [{ type: 'text', text }] };
    });
    await server.connect(transport);
    return transport;
  };
  const { url } = await serve(cleanups, (request, response) => {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id)?.transport : undefined;
    if (typeof id === 'string' && known === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}');
      return;
    }
    const handled =
      known === undefined
        ? open().then((made) => made.handleRequest(request, response))
        : known.handleRequest(request, response);
    void handled;
  });
  return { url, sessions };
}

async function serveSdk2() {
  const handler = toNodeHandler(
    createMcpHandler(
      () => {
        const server = new McpServer({ name: 'sdk-2', version: '1.0.0' });
        server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, ({ text }) => ({
          content: [{ type: 'text', text }],
        }));
        return server;
      },
      { legacy: 'reject' },
    ),
  );
  // The adapter's type has no room for the `undefined`s of Node's own.
  return serve(cleanups, (request, response) => void handler(request as Parameters<typeof handler>[0], response));
}

const textOf = (json: string): unknown => (JSON.parse(json) as { content: { text: string }[] }).content[0]?.text;
const LIST: Operation = { kind: 'list', of: 'tools' };

describe.each([
  ['streams', false],
  ['JSON', true],
])('a server on the official SDK of the legacy era, answering with %s', (_name, enableJsonResponse) => {
  test('is found, called, listed, pinged and left', async () => {
    const { url, sessions } = await serveSdk1(enableJsonResponse);
    const upstream = await connectTo(cleanups, url);
    expect(upstream).toMatchObject({ era: 'legacy', revision: '2025-11-25' });
    expect(sessions.size).toBe(1);
    const channel = collectNotices(true);
    const outcome = await upstream.send(callTool('echo', { text: 'grüß dich' }), sendOptions({ channel }));
    expect(textOf(await resultText(outcome))).toBe('grüß dich');
    expect(channel.notices).toHaveLength(enableJsonResponse ? 0 : 1);
    const listed = await upstream.send(testCall(LIST), sendOptions());
    expect(await resultText(listed)).toContain('"name":"echo"');
    expect(await upstream.send(testCall({ kind: 'ping' }), sendOptions())).toMatchObject({ kind: 'complete' });
    const unknown = await upstream.send(testCall({ kind: 'get-prompt', name: 'x', arguments: {} }), sendOptions());
    expect(unknown).toMatchObject({ kind: 'failed', failure: { code: 'upstream-error' } });
    const big = 'y'.repeat(300_000);
    expect(textOf(await resultText(await upstream.send(callTool('echo', { text: big }), sendOptions())))).toBe(big);
    await upstream.close();
    expect(sessions.size).toBe(0);
  });

  test('that lost its sessions is found anew', async () => {
    const { url, sessions } = await serveSdk1(enableJsonResponse);
    const upstream = await connectTo(cleanups, url);
    sessions.clear();
    const outcome = await upstream.send(callTool('echo', { text: 'x' }), sendOptions());
    expect(outcome).toMatchObject({ failure: { code: 'upstream-closed', sent: 'no' } });
    await upstream.ended;
  });
});

test('a server on the official SDK of the modern era is found, called and listed', async () => {
  const { url } = await serveSdk2();
  const upstream = await connectTo(cleanups, url);
  expect(upstream).toMatchObject({ era: 'modern', revision: '2026-07-28' });
  const outcome = await upstream.send(callTool('echo', { text: 'grüß dich' }), sendOptions());
  expect(textOf(await resultText(outcome))).toBe('grüß dich');
  expect(await resultText(await upstream.send(testCall(LIST), sendOptions()))).toContain('"name":"echo"');
  expect(await upstream.send(testCall({ kind: 'discover' }), sendOptions())).toMatchObject({
    kind: 'discovered',
    discovery: { serverInfo: { name: 'sdk-2' } },
  });
  const unknown = await upstream.send(
    testCall({ kind: 'extension', method: 'acme/unknown', params: {} }),
    sendOptions(),
  );
  expect(unknown).toMatchObject({ kind: 'failed', failure: { code: 'upstream-error', upstream: { code: -32601 } } });
  const big = 'y'.repeat(300_000);
  expect(textOf(await resultText(await upstream.send(callTool('echo', { text: big }), sendOptions())))).toBe(big);
});
