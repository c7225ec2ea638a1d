/**
 * A gateway that is killed and started anew on its files: sessions go on, because they are sealed and not stored; what was open
 * in the process is gone, and whoever comes back to it hears to call again.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { connectAsked } from '../harness/asked-clients.ts';
import { scriptPath, startChildServer, type ChildServer } from '../harness/child.ts';
import { openExchange } from '../harness/exchange.ts';
import { startAgain, type GatewayProcess } from '../harness/gateway-process.ts';
import { bearer, legacy, modern, send, type HttpAnswer } from '../harness/http.ts';
import { writeReplicas, type Replicas } from '../harness/replicas.ts';
import { until } from '../harness/until.ts';
import { connectClient } from '../matrix/clients.ts';

let upstream: ChildServer;
let replicas: Replicas;
let gateway: GatewayProcess;

beforeEach(async () => {
  upstream = await startChildServer('fixtures/legacy-asking-server.ts', 'http');
  const command = `["${process.execPath}", "${scriptPath('fixtures/legacy-asking-server.ts')}", stdio]`;
  const allow = 'allow: [{ anyone: true, tools: ["*"] }]';
  replicas = await writeReplicas({
    yaml: [
      'loopBreaker: off',
      'servers:',
      `  http: { url: "${upstream.url}", ${allow} }`,
      `  stdio: { command: ${command}, sharing: shared, ${allow} }`,
    ].join('\n'),
  });
  gateway = await startAgain(replicas.both[0].config);
});

afterEach(async () => {
  await gateway?.close();
  replicas?.remove();
  await upstream?.close();
});

const credential = () => bearer(replicas.keys['alice'] ?? '');
const urlOf = (server: string): string => `${gateway.url}/servers/${server}/mcp`;

/** As power fails: nothing is said to anybody. It comes back on the same address. */
async function killAndStart(): Promise<void> {
  gateway.signal('SIGKILL');
  expect(await gateway.exited).toEqual({ code: null, signal: 'SIGKILL' });
  gateway = await startAgain(replicas.both[0].config);
}

async function post(server: string, { headers, body }: ReturnType<typeof modern>): Promise<HttpAnswer> {
  return send(urlOf(server), { headers: { ...headers, ...credential() }, body });
}

/** A session whose client shows forms. */
async function openSession(server: string): Promise<string> {
  const { headers, body } = legacy('initialize');
  const message = JSON.parse(body as string) as { params: object };
  const params = { ...message.params, capabilities: { elicitation: {} } };
  const answer = await post(server, { headers, body: JSON.stringify({ ...message, params }) });
  const session = answer.headers['mcp-session-id'];
  if (typeof session !== 'string') throw new Error(`no session: ${answer.text}`);
  return session;
}

const COUNTS = { name: 'counts', arguments: {} };

describe('the session of a legacy client', () => {
  it.each(['sdk-v1', 'sdk-v2-legacy'] as const)('goes on after the gateway was killed: %s', async (kind) => {
    const sessions = new Set<string | null>();
    const { fetch } = globalThis;
    // What the SDKs' clients fetch with.
    vi.stubGlobal('fetch', (...of: Parameters<typeof fetch>) => {
      const [, init] = of;
      if (init?.method === 'POST') sessions.add(new Headers(init.headers).get('mcp-session-id'));
      return fetch(...of);
    });
    const client = await connectClient(kind, urlOf('http'), replicas.keys['alice'] ?? '');
    await client.callTool(COUNTS);
    await killAndStart();
    expect(await client.callTool(COUNTS)).toMatchObject({ content: [{ type: 'text' }] });
    // Without one, to open it; then always the same.
    expect([...sessions].filter((session) => session !== null)).toHaveLength(1);
    await client.close();
    vi.unstubAllGlobals();
  });

  it('stays ended when its client ended it before', async () => {
    const [ended, open] = [await openSession('http'), await openSession('http')];
    const within = { 'mcp-session-id': ended, 'mcp-protocol-version': '2025-11-25', ...credential() };
    expect((await send(urlOf('http'), { method: 'DELETE', headers: within })).status).toBe(200);
    await killAndStart();
    expect((await post('http', legacy('tools/call', COUNTS, ended))).status).toBe(404);
    expect((await post('http', legacy('tools/call', COUNTS, open))).status).toBe(200);
  });
});

describe.each(['http', 'stdio'])(
  'a question of a server over %s that was open when the gateway was killed',
  (server) => {
    it('fails for a modern client with a message that says to call again, and the call can be made again', async () => {
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
      };
      const greet = (more: object = {}) =>
        post(server, modern('tools/call', { name: 'greet', arguments: {}, ...more, _meta }));
      const { result } = (await greet()).json ?? {};
      expect(result?.['resultType']).toBe('input_required');
      const { requestState, inputRequests } = result as { requestState: string; inputRequests: object };
      const accept = { action: 'accept', content: { name: 'Al' } };
      const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, accept]));
      await killAndStart();
      const { error } = (await greet({ requestState, inputResponses })).json ?? {};
      expect(error).toMatchObject({ code: -32_602, message: expect.stringMatching(/started anew.*Call again/u) });
      expect((await greet()).json?.result?.['resultType']).toBe('input_required');
    });

    it('fails for a legacy client with its stream, and its answer with a message that says to call again', async () => {
      const session = await openSession(server);
      const call = legacy('tools/call', { name: 'greet', arguments: {} }, session);
      const exchange = await openExchange(urlOf(server), { ...call, headers: { ...call.headers, ...credential() } });
      await exchange.readUntil('elicitation/create');
      const asked = /^data: (\{.*)$/mu.exec(await exchange.readUntil('\n\n'))?.[1] ?? '';
      const { id } = JSON.parse(asked) as { id: string };
      const ended = expect(exchange.drain()).rejects.toThrow(/aborted|ended without/u);
      await killAndStart();
      await ended;

      const { headers } = legacy('tools/call', {}, session);
      const result = { action: 'accept', content: { name: 'Al' } };
      const answer = await post(server, { headers, body: JSON.stringify({ jsonrpc: '2.0', id, result }) });
      expect(answer.status).toBe(400);
      expect(answer.json?.error?.message).toMatch(/does not run any more.*Make the call again/u);
      expect((await post(server, legacy('tools/call', COUNTS, session))).status).toBe(200);
    });
  },
);

it('a legacy client of the official SDK that was asked when the gateway was killed can call again', async () => {
  const asked = Promise.withResolvers<void>();
  const leave = Promise.withResolvers<void>();
  let killed = false;
  const client = await connectAsked({
    kind: 'sdk-v1',
    url: urlOf('http'),
    key: replicas.keys['alice'] ?? '',
    async person({ message }) {
      asked.resolve();
      if (!killed) await leave.promise;
      return { action: 'accept', content: (message.includes('name') ? { name: 'Al' } : { city: 'Aachen' }) as never };
    },
  });
  const first = client.call('greet', {}).catch(String);
  await asked.promise;
  await killAndStart();
  killed = true;
  leave.resolve();
  const again = await until('an answer', () => client.call('greet', {}).catch(() => undefined));
  expect(again.text).toBe('Al of Aachen');
  await client.close();
  expect(await first).toMatch(/closed|terminated|fetch failed/iu);
});
