/** A client that only starts programs works with the gateway through `sallyport connect`, whatever era it speaks. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openAndLogIn } from '../examples/oauth-login/person.ts';
import { startMisbehavingServer } from './fixtures/misbehaving-http.ts';
import { startRecordingServer } from './fixtures/recording-http.ts';
import { startChildServer, type ChildServer } from './harness/child.ts';
import { bridgeArguments, connectThroughBridge, stateOfItsOwn } from './harness/connect.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { startLogInSite, type LogInSite } from './harness/log-in.ts';
import { until } from './harness/until.ts';
import { CLIENT_KINDS, eraOf, type MatrixClient } from './matrix/clients.ts';
import { REQUIREMENTS } from './matrix/requirements.ts';

describe('with an API key', () => {
  let gateway: TestGateway;
  let upstream: ChildServer;

  beforeAll(async () => {
    upstream = await startChildServer('matrix/modern-upstream.ts', 'http');
    const allow = 'allow: [{ anyone: true, tools: ["*"], prompts: ["*"], resources: ["*"] }]';
    gateway = await startTestGateway({ yaml: `servers: { one: { url: "${upstream.url}", ${allow} } }` });
  });

  afterAll(async () => {
    await gateway?.close();
    await upstream?.close();
  });

  describe.each(CLIENT_KINDS)('a client of %s', (kind) => {
    let client: MatrixClient;
    const clientEra = eraOf(kind);
    const aggregate = false;
    const name = (of: string): string => of;

    beforeAll(async () => {
      const env = { SALLYPORT_KEY: gateway.keys['alice'] ?? '' };
      client = await connectThroughBridge(kind, { url: `${gateway.url}/servers/one/mcp`, env });
    });
    afterAll(() => client?.close());

    for (const requirement of REQUIREMENTS) {
      if (requirement.only?.({ clientEra, aggregate }) === false) continue;
      // These SDKs forget who waits for progress once a result is in the same piece of the pipe, whoever wrote it.
      if (requirement.cites.startsWith('basic/utilities/progress')) continue;
      it(`${requirement.title} [${requirement.cites}]`, () =>
        requirement.check({ client, kind, clientEra, aggregate, name }));
    }
  });

  it('messages come in the order in which the server sent them, each on a line', async () => {
    const url = `${gateway.url}/servers/one/mcp`;
    const bridge = startBridge(url, { SALLYPORT_KEY: gateway.keys['alice'] ?? '' });
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      progressToken: 'p',
    };
    bridge.say({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'count', arguments: {}, _meta: meta } });
    for (const progress of [1, 2, 3]) expect(await bridge.heard()).toMatchObject({ params: { progress } });
    expect(await bridge.heard()).toMatchObject({ id: 1, result: { content: [{ text: 'counted' }] } });
    await bridge.end();
  });

  it('a key that is refused ends in an answer that says so, and asks nobody to log in', async () => {
    const said: string[] = [];
    const refused = connectThroughBridge('sdk-v2-legacy', {
      url: `${gateway.url}/mcp`,
      env: { SALLYPORT_KEY: 'sp_nobody' },
      onLog: (line) => said.push(line),
    });
    await expect(refused).rejects.toThrow(/credential|log in|key/i);
    expect(said.join('\n')).not.toContain('log in to go on');
  });
});

describe('without a key', () => {
  let site: LogInSite;

  beforeAll(async () => {
    site = await startLogInSite();
  });
  afterAll(() => site?.close());

  it('a person logs in once; the log-in is theirs alone to read, renewed when it ends, and forgotten on demand', async () => {
    const state = stateOfItsOwn();
    const url = `${site.gateway.url}/mcp`;
    const asked: string[] = [];
    const onLog = (line: string): void => {
      const address = /log in to go on: (\S+)/.exec(line)?.[1];
      if (address === undefined) return;
      asked.push(address);
      void openAndLogIn(new URL(address), { name: 'alice', password: 'alice' }).then((back) => fetch(back));
    };
    try {
      const first = await connectThroughBridge('sdk-v1', { url, env: state.env, onLog });
      expect((await first.listTools()).tools.map(({ name }) => name)).toContain('plain_ok');
      await first.close();
      expect(asked).toHaveLength(1);

      const folder = path.join(state.folder, 'sallyport', 'log-ins');
      const [kept = ''] = readdirSync(folder);
      const file = path.join(folder, kept);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const before = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;

      writeFileSync(file, JSON.stringify({ ...before, accessToken: 'ended' }));
      const again = await connectThroughBridge('sdk-v2-modern', { url, env: state.env, onLog });
      expect(await textOf(again.callTool({ name: 'plain_ok', arguments: { text: 'hello' } }))).toBe('fine');
      await again.close();
      const renewed = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
      expect(renewed['refreshToken']).not.toBe(before['refreshToken']);
      expect(asked).toHaveLength(1);

      await run(['--log-out'], url, state.env);
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      state.remove();
    }
  });
});

describe('what only HTTP has', () => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const call = (id: number, name: string, args: object): object => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: args, _meta: meta },
  });

  it('arguments that a tool wants mirrored into headers are mirrored, for a client that never listed the tools', async () => {
    const region = { type: 'string', 'x-mcp-header': 'Region' };
    const inputSchema = { type: 'object', properties: { region }, required: ['region'] };
    const upstream = await startRecordingServer([{ name: 'deploy', inputSchema }]);
    const gateway = await startTestGateway({
      yaml: `servers: { one: { url: "${upstream.url}", allow: [{ anyone: true, tools: ["*"] }] } }`,
    });
    const bridge = startBridge(`${gateway.url}/servers/one/mcp`, { SALLYPORT_KEY: gateway.keys['alice'] ?? '' });
    try {
      bridge.say(call(1, 'deploy', { region: 'Zürich' }));
      expect(await bridge.heard()).toMatchObject({ id: 1, result: { content: [{ text: 'done' }] } });
      expect(upstream.calls).toHaveLength(1);
      await bridge.end();
    } finally {
      await gateway.close();
      await upstream.close();
    }
  });

  it('a modern client that cancels closes its stream, and the gateway stops waiting', async () => {
    const upstream = await startMisbehavingServer();
    const gateway = await startTestGateway({
      yaml: `servers: { one: { url: "${upstream.url}", allow: [{ anyone: true, tools: ["*"] }] } }`,
    });
    const bridge = startBridge(`${gateway.url}/servers/one/mcp`, { SALLYPORT_KEY: gateway.keys['alice'] ?? '' });
    try {
      bridge.say(call(1, 'hang', {}));
      await until('the call to arrive', () => upstream.seen.some(({ rpc }) => rpc.params?.name === 'hang'));
      bridge.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
      await until('the gateway to notice', () =>
        gateway.records().some(({ status_code: code }) => code === 'cancelled'),
      );
      bridge.say(call(2, 'ok', { text: 'x' }));
      // Nothing was said about the call that nobody waits for.
      expect(await bridge.heard()).toMatchObject({ id: 2, result: { content: [{ text: 'fine' }] } });
      await bridge.end();
    } finally {
      await gateway.close();
      await upstream.close();
    }
  });
});

describe('a question to the person', () => {
  it('reaches the client on stdio, and the answer lets the call go on', async () => {
    const upstream = await startMisbehavingServer();
    const gateway = await startTestGateway({
      policies: '@approval("caller") permit (principal, action, resource in Server::"bank");',
      yaml: `servers: { bank: { url: "${upstream.url}" } }`,
    });
    const bridge = startBridge(`${gateway.url}/servers/bank/mcp`, { SALLYPORT_KEY: gateway.keys['alice'] ?? '' });
    try {
      const capabilities = { elicitation: { form: {} } };
      const clientInfo = { name: 'asked', version: '1' };
      const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
      bridge.say({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
      expect(await bridge.heard()).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } });
      bridge.say({ jsonrpc: '2.0', method: 'notifications/initialized' });
      const pay = { name: 'ok', arguments: { text: 'pay' } };
      bridge.say({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: pay });
      const question = await bridge.heard();
      expect(question).toMatchObject({ method: 'elicitation/create' });
      const { id, params: asked } = question as { id: unknown; params: { requestedSchema: { properties: object } } };
      const content = Object.fromEntries(Object.keys(asked.requestedSchema.properties).map((name) => [name, true]));
      bridge.say({ jsonrpc: '2.0', id, result: { action: 'accept', content } });
      expect(await bridge.heard()).toMatchObject({ id: 2, result: { content: [{ text: 'fine' }] } });
      await bridge.end();
    } finally {
      await gateway.close();
      await upstream.close();
    }
  });
});

describe('towards a server that forgets', () => {
  it('opens a lost session again without the client noticing, and makes the call once', async () => {
    const server = await startForgetfulServer();
    const client = await connectThroughBridge('sdk-v1', { url: server.url, env: { SALLYPORT_KEY: 'k' } });
    try {
      expect(await textOf(client.callTool({ name: 'count', arguments: {} }))).toBe('1 in session-1');
      server.forget();
      expect(await textOf(client.callTool({ name: 'count', arguments: {} }))).toBe('2 in session-2');
    } finally {
      await client.close();
      await until('the session to be ended', () => server.ended.includes('session-2'));
      await server.close();
    }
  });

  it('answers for a server that broke off, and says that the call may have been made', async () => {
    const server = await startForgetfulServer();
    const client = await connectThroughBridge('sdk-v1', { url: server.url, env: { SALLYPORT_KEY: 'k' } });
    try {
      await expect(client.callTool({ name: 'break', arguments: {} })).rejects.toThrow('may have been made');
    } finally {
      await client.close();
      await server.close();
    }
  });
});

describe('a line that is no message', () => {
  it('is answered, and what follows is served', async () => {
    const server = await startForgetfulServer();
    const bridge = startBridge(server.url, { SALLYPORT_KEY: 'k' });
    bridge.write('{"jsonrpc": "2.0", "id":');
    expect(await bridge.heard()).toMatchObject({ id: null, error: { code: -32_700 } });
    bridge.say({ jsonrpc: '2.0', id: 7, method: 'tools/list', params: {} });
    expect(await bridge.heard()).toMatchObject({ id: 7, result: { tools: [] } });
    await bridge.end();
    await server.close();
  });
});

/** The bridge without a client: what goes in and what comes out. */
function startBridge(url: string, env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, bridgeArguments({ url }), { env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const write = (line: string): void => void child.stdin.write(`${line}\n`);
  return {
    write,
    say: (message: object) => write(JSON.stringify(message)),
    heard: async (): Promise<unknown> => JSON.parse(String((await lines.next()).value)),
    async end() {
      const ended = once(child, 'exit');
      child.stdin.end();
      expect(await ended).toEqual([0, null]);
    },
  };
}

async function run(args: readonly string[], url: string, env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, bridgeArguments({ url, args }), {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: 'ignore',
  });
  expect(await once(child, 'exit')).toEqual([0, null]);
}

async function textOf(result: ReturnType<MatrixClient['callTool']>): Promise<string | undefined> {
  const { content } = await result;
  return (content as readonly { readonly text?: string }[])[0]?.text;
}

type Rpc = { readonly id?: number; readonly method?: string; readonly params?: { readonly name?: string } };

/** A legacy server that loses its sessions on demand, and counts the calls that it made. */
async function startForgetfulServer() {
  const known = new Set<string>();
  const ended: string[] = [];
  let sessions = 0;
  let calls = 0;
  const server = createServer((request, response) => {
    const session = String(request.headers['mcp-session-id'] ?? '');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'DELETE') ended.push(session);
      if (request.method !== 'POST') return void response.writeHead(405).end();
      const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Rpc;
      if (session !== '' && !known.has(session)) return void response.writeHead(404).end();
      if (id === undefined) return void response.writeHead(202).end();
      if (params?.name === 'break') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        return void response.write(': nothing more\n\n', () => response.destroy());
      }
      const headers: Record<string, string> = { 'content-type': 'application/json' };
      if (method === 'initialize') known.add((headers['mcp-session-id'] = `session-${(sessions += 1)}`));
      if (method === 'tools/call') calls += 1;
      const serverInfo = { name: 'forgetful', version: '1' };
      const result =
        method === 'initialize'
          ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }
          : method === 'tools/call'
            ? { content: [{ type: 'text', text: `${calls} in ${session}` }] }
            : { tools: [] };
      response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id, result }, null, 2));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    ended,
    forget: () => known.clear(),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
