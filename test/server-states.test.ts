/** What operators are told of the state of each server, at a running gateway with servers that really fail. */

import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, it } from 'vitest';

import { startMisbehavingServer } from './fixtures/misbehaving-http.ts';
import { startRecordingServer } from './fixtures/recording-http.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send } from './harness/http.ts';
import { until } from './harness/until.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function started(yaml: string): Promise<TestGateway> {
  const made = await startTestGateway({ yaml });
  closers.push(() => made.close());
  return made;
}

const EVERYONE = 'allow: [{ anyone: true, tools: ["*"] }]';
const TALKATIVE = `["${process.execPath}", "${import.meta.dirname}/fixtures/talkative-stdio.ts"]`;

const stateOf = ({ gateway }: TestGateway, id: string) => gateway.status().servers.find((server) => server.id === id);

async function inState(
  gateway: TestGateway,
  id: string,
  state: string,
): Promise<NonNullable<ReturnType<typeof stateOf>>> {
  return until(`${id} is ${state}`, () => {
    const server = stateOf(gateway, id);
    return server?.state === state ? server : undefined;
  });
}

const call = ({ url, keys }: TestGateway, server: string, tool: string) => {
  const request = modern('tools/call', { name: tool, arguments: { text: 'x' } });
  const headers = { ...request.headers, ...bearer(keys['alice'] ?? '') };
  return send(`${url}/servers/${server}/mcp`, { ...request, headers });
};

/** Answers every request with `status()`. */
async function startApi(status: () => number): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((_, response) => response.writeHead(status()).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return { server, port: (server.address() as AddressInfo).port };
}

describe('a server that is listed', () => {
  it('is degraded when its calls fail, says why, and tells of the last failure when it is well again', async () => {
    const misbehaving = await startMisbehavingServer();
    closers.push(() => misbehaving.close());
    const gateway = await started(
      `servers: { wild: { url: "${misbehaving.url}", breaker: off, retries: 0, ${EVERYONE} } }`,
    );
    expect(stateOf(gateway, 'wild')).toMatchObject({ state: 'healthy' });
    for (let times = 0; times < 3; times++) await call(gateway, 'wild', 'garbage');
    const degraded = await inState(gateway, 'wild', 'degraded');
    expect(degraded.reason).toMatch(/^3 of its latest \d+ calls failed\. \S/u);
    expect(degraded.lastFailure).toMatchObject({ stage: 'answer', code: 'upstream-invalid' });
    const shown = await sallyport(['status', '--url', gateway.gateway.operationsUrl ?? '']);
    expect(shown.out).toMatch(/wild +degraded/u);
    expect(shown.out).toMatch(/last failure \d+ s ago, at answer: upstream-invalid\n/u);
    expect(shown.code).toBe(1);
    for (let times = 0; times < 20; times++) await call(gateway, 'wild', 'ok');
    const healthy = await inState(gateway, 'wild', 'healthy');
    expect(healthy.reason).toBeUndefined();
    expect(healthy.lastFailure).toMatchObject({ code: 'upstream-invalid' });
  });

  it('is unhealthy while its breaker is open', async () => {
    const misbehaving = await startMisbehavingServer();
    closers.push(() => misbehaving.close());
    const breaker = 'breaker: { window: 3, failures: 3, open: 1m }';
    const gateway = await started(
      `servers: { wild: { url: "${misbehaving.url}", ${breaker}, retries: 0, ${EVERYONE} } }`,
    );
    for (let times = 0; times < 3; times++) await call(gateway, 'wild', 'html');
    const { reason } = await inState(gateway, 'wild', 'unhealthy');
    expect(reason).toMatch(/^Too many calls failed, so it is left alone\. /u);
    const metrics = await (await fetch(`${gateway.gateway.operationsUrl}/metrics`)).text();
    expect(metrics).toContain('sallyport_upstream_state{server="wild",state="unhealthy"} 1');
    expect(metrics).toContain('sallyport_upstream_state{server="wild",state="healthy"} 0');
  });

  it('is needs-login when it does not take our credential any more', async () => {
    const misbehaving = await startMisbehavingServer();
    closers.push(() => misbehaving.close());
    const gateway = await started(`servers: { wild: { url: "${misbehaving.url}", ${EVERYONE} } }`);
    await call(gateway, 'wild', 'unauthorized');
    const { lastFailure } = await inState(gateway, 'wild', 'needs-login');
    expect(lastFailure).toMatchObject({ stage: 'credential', code: 'upstream-refused' });
    await call(gateway, 'wild', 'ok');
    await inState(gateway, 'wild', 'healthy');
  });

  it('is stopped when nobody has needed its process for a while, which is no trouble, and keeps its tools', async () => {
    const gateway = await started(
      `servers: { talker: { command: ${TALKATIVE}, pool: { idle: 200ms }, sharing: shared, ${EVERYONE} } }`,
    );
    const stopped = await until('talker has stopped', () => stateOf(gateway, 'talker')?.state === 'stopped', 20_000);
    expect(stopped).toBe(true);
    expect(stateOf(gateway, 'talker')?.counts).toMatchObject({ tools: 5 });
    expect((await sallyport(['status', '--url', gateway.gateway.operationsUrl ?? ''])).code).toBe(0);
    expect((await call(gateway, 'talker', 'echo')).json?.result).toBeDefined();
    await inState(gateway, 'talker', 'healthy');
  });
});

describe('what a server depends on', () => {
  it('degrades it while it is away, is shown by name, and no call is refused for it', async () => {
    let status = 200;
    const api = await startApi(() => status);
    const recording = await startRecordingServer([{ name: 'look', inputSchema: { type: 'object' } }]);
    closers.push(() => recording.close());
    const probe = `{ name: crm-api, url: "http://127.0.0.1:${api.port}/health", every: 100ms, timeout: 1s }`;
    const gateway = await started(`servers: { crm: { url: "${recording.url}", dependsOn: [${probe}], ${EVERYONE} } }`);
    const told = (up: boolean) =>
      until(`crm-api is ${up ? 'there' : 'away'}`, () =>
        gateway.gateway.status().dependencies.some((one) => one.name === 'crm/crm-api' && one.up === up),
      );
    await told(true);
    status = 503;
    await told(false);
    const { reason } = await inState(gateway, 'crm', 'degraded');
    expect(reason).toBe('What it depends on does not answer: crm-api.');
    expect((await call(gateway, 'crm', 'look')).json?.result).toBeDefined();
    const shown = await sallyport(['status', '--url', gateway.gateway.operationsUrl ?? '']);
    expect(shown.out).toMatch(
      /needed by a server away since \d+ s: crm\/crm-api\n {4}127\.0\.0\.1:\d+ answers with status 503\./u,
    );
    const metrics = await (await fetch(`${gateway.gateway.operationsUrl}/metrics`)).text();
    expect(metrics).toContain('sallyport_dependency_up{dependency="crm/crm-api",kind="server"} 0');
    status = 204;
    await told(true);
    await inState(gateway, 'crm', 'healthy');
  });

  it('may be a TCP port', async () => {
    const database = createTcpServer((socket) => socket.end());
    await new Promise<void>((resolve) => database.listen(0, '127.0.0.1', resolve));
    const { port } = database.address() as AddressInfo;
    const recording = await startRecordingServer([{ name: 'look', inputSchema: { type: 'object' } }]);
    closers.push(() => recording.close());
    const probe = `{ name: database, tcp: "localhost:${port}", every: 100ms, timeout: 1s }`;
    const gateway = await started(`servers: { crm: { url: "${recording.url}", dependsOn: [${probe}], ${EVERYONE} } }`);
    await until('it is seen', () =>
      gateway.gateway.status().dependencies.some(({ name, up }) => name === 'crm/database' && up),
    );
    await new Promise((resolve) => database.close(resolve));
    await inState(gateway, 'crm', 'degraded');
    const away = gateway.gateway.status().dependencies.find(({ name }) => name === 'crm/database');
    expect(away?.reason).toContain('ECONNREFUSED');
  });

  it('may be asked for through a tool that its operator marked readOnly, and through no other', async () => {
    const recording = await startRecordingServer([
      { name: 'who', inputSchema: { type: 'object' } },
      { name: 'write', inputSchema: { type: 'object' } },
    ]);
    closers.push(() => recording.close());
    const probes = [
      '{ name: login, tool: who, arguments: { short: true }, every: 100ms }',
      '{ name: wrong, tool: write, every: 100ms }',
      '{ name: unknown, tool: nothing, every: 100ms }',
    ];
    const gateway = await started(
      `servers: { crm: { url: "${recording.url}", dependsOn: [${probes.join(', ')}], tools: { who: { readOnly: true } }, ${EVERYONE} } }`,
    );
    const { reason } = await inState(gateway, 'crm', 'degraded');
    expect(reason).toMatch(/wrong|unknown/u);
    await until(
      'all were looked at',
      () => gateway.gateway.status().dependencies.filter(({ kind }) => kind === 'server').length === 3,
    );
    expect(gateway.gateway.status().dependencies.filter(({ kind }) => kind === 'server')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'crm/login', up: true }),
        expect.objectContaining({
          name: 'crm/wrong',
          up: false,
          reason: 'The tool write of crm is not marked readOnly.',
        }),
        expect.objectContaining({ name: 'crm/unknown', up: false, reason: 'crm offers no tool nothing.' }),
      ]),
    );
    expect(new Set(recording.calls.map(({ name }) => name))).toEqual(new Set(['who']));
    expect(recording.calls[0]?.arguments).toEqual({ short: true });
  });

  it('that accepts and never answers is away within its timeout', async () => {
    const silent = createTcpServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => silent.close(resolve)));
    const recording = await startRecordingServer([{ name: 'look', inputSchema: { type: 'object' } }]);
    closers.push(() => recording.close());
    const probe = `{ name: api, url: "http://127.0.0.1:${(silent.address() as AddressInfo).port}/", every: 100ms, timeout: 200ms }`;
    const gateway = await started(`servers: { crm: { url: "${recording.url}", dependsOn: [${probe}], ${EVERYONE} } }`);
    await inState(gateway, 'crm', 'degraded');
    expect(gateway.gateway.status().dependencies.find(({ name }) => name === 'crm/api')?.reason).toBe(
      'It did not answer within 0.2 s.',
    );
  });
});
