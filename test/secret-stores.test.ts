/** Secrets of every store through a running gateway: away at the start, rotated, refused, and listed without a value. */

import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startGuardedServer, type GuardedServer } from './fixtures/guarded-http.ts';
import { sallyport } from './harness/command-line.ts';
import { freePort } from './harness/free-port.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { NO_OPENBAO, startOpenBao, type TestOpenBao } from './harness/openbao.ts';
import { until } from './harness/until.ts';

const FIRST = 'first-7f3a9c';
const SECOND = 'second-51be0d';

const call = (gateway: TestGateway, server: string, who = 'alice'): Promise<HttpAnswer> => {
  const { headers, body } = modern('tools/call', { name: 'work', arguments: {} });
  return send(`${gateway.url}/servers/${server}/mcp`, {
    body,
    headers: { ...headers, ...bearer(gateway.keys[who] ?? '') },
  });
};

const ALLOW = 'allow: [{ anyone: true, tools: ["*"] }]';

type State = { readonly state?: string; readonly reason?: string };
const stateOf = (gateway: TestGateway, id: string): State =>
  gateway.gateway.status().servers.find((server) => server.id === id) ?? {};

describe('a command and a file', () => {
  let upstream: GuardedServer;
  let gateway: TestGateway;

  beforeAll(async () => {
    upstream = await startGuardedServer(FIRST);
    gateway = await startTestGateway({
      users: { alice: ['staff'], ann: ['auditors'] },
      policies: [
        'permit (principal in Group::"auditors", action == Action::"readCredentials", resource);',
        'permit (principal in Group::"auditors", action == Action::"readAllTenants", resource);',
      ].join('\n'),
      files: { token: `${FIRST}\n`, printed: JSON.stringify({ token: FIRST }) },
      yaml: [
        'secrets:',
        `  exec: { cat: { command: ["${process.execPath}", "-e", "process.stdout.write(require('fs').readFileSync(process.argv[1]))", "./{}"] } }`,
        'servers:',
        `  filed: { url: "${upstream.url}", headers: { Authorization: "Bearer file:./token" }, ${ALLOW} }`,
        `  printed: { url: "${upstream.url}", headers: { Authorization: "Bearer exec:cat/printed#token" }, ${ALLOW} }`,
        `  missing: { url: "${upstream.url}", headers: { Authorization: "Bearer file:./no-such-file" }, ${ALLOW} }`,
      ].join('\n'),
    });
  });

  afterAll(async () => {
    await gateway?.close();
    await upstream?.close();
  });

  test('lead to what a server is called with, and a reference to nothing disables only its server', async () => {
    for (const server of ['filed', 'printed']) expect((await call(gateway, server)).json?.result).toBeDefined();
    expect(stateOf(gateway, 'missing')).toMatchObject({ state: 'unhealthy' });
    expect(stateOf(gateway, 'missing').reason).toMatch(/file:\/.*no-such-file does not exist\. Create the file/);
  });

  test('are asked again when a server refuses, once for fifty calls, and each call is made after all', async () => {
    upstream.accepts.clear();
    upstream.accepts.add(SECOND);
    // The command's output is trusted for five minutes: without the refusal nothing would be looked at.
    writeFileSync(path.join(gateway.directory, 'printed'), JSON.stringify({ token: SECOND }));
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(gateway, 'printed')));
    expect(answers.filter(({ json }) => json?.result === undefined)).toEqual([]);
    writeFileSync(path.join(gateway.directory, 'token'), SECOND);
    expect((await call(gateway, 'filed')).json?.result).toBeDefined();
  });

  test('that lead to nothing else leave the refusal as it is', async () => {
    upstream.accepts.clear();
    const before = upstream.refused;
    expect((await call(gateway, 'printed')).json?.error).toMatchObject({ message: expect.stringContaining('refused') });
    expect(upstream.refused - before).toBe(1);
  });

  test('are listed with their owner, age, use and failure, and without their values', async () => {
    const { out, code } = await sallyport(['credentials', 'list', '--url', gateway.gateway.operationsUrl ?? '']);
    expect(code).toBe(1);
    expect(out).toMatch(/^operator +printed +headers +good +\d+ s +- +\d+ s +printed\/2 +exec:cat\/printed#token$/mu);
    expect(out).toMatch(/^operator +missing +headers +missing .*no-such-file$/mu);
    expect(out).toMatch(/ago: The server refused it/u);
    // What it is for: nothing is known of a server that was never reached.
    expect(out).toMatch(/^operator +printed .*\n +1 tool: work$/mu);
    expect(out).not.toMatch(/^operator +missing .*\n +\d+ tool/mu);
    expect(out).not.toContain(SECOND);
    const read = (who: string, query: string) =>
      send(`${gateway.url}/api/v1/credentials${query}`, { method: 'GET', headers: bearer(gateway.keys[who] ?? '') });
    expect((await read('alice', '')).status).toBe(403);
    expect((await read('ann', '')).json).toMatchObject({ credentials: [], tools: {} });
    const all = await read('ann', '?tenants=all');
    expect(all.json).toMatchObject({
      tools: { filed: { count: 1, names: ['work'] }, missing: { count: 0, names: [] } },
      credentials: expect.arrayContaining([expect.objectContaining({ server: 'filed' })]),
    });
    expect(all.text).not.toContain(SECOND);
  });
});

describe.skipIf(NO_OPENBAO !== undefined)('a Vault that is away when the gateway starts', () => {
  let upstream: GuardedServer;
  let gateway: TestGateway;
  let bao: TestOpenBao | undefined;

  afterAll(async () => {
    await gateway?.close();
    await bao?.close();
    await upstream?.close();
  });

  test('disables the servers that need it, the rest serves, and they serve too once it is there', async () => {
    upstream = await startGuardedServer(FIRST);
    const port = await freePort();
    gateway = await startTestGateway({
      files: { token: FIRST, root: 'root-of-a-test' },
      yaml: [
        'secrets:',
        `  vault: { address: "http://127.0.0.1:${port}", auth: { method: token, token: "file:./root" }, cache: 300ms }`,
        'servers:',
        `  filed: { url: "${upstream.url}", headers: { Authorization: "Bearer file:./token" }, ${ALLOW} }`,
        `  kept: { url: "${upstream.url}", headers: { Authorization: "Bearer vault:secret/data/crm#token" }, ${ALLOW} }`,
      ].join('\n'),
    });
    expect((await call(gateway, 'filed')).json?.result).toBeDefined();
    expect(stateOf(gateway, 'kept')).toMatchObject({ state: 'unhealthy' });
    expect(stateOf(gateway, 'kept').reason).toMatch(
      /vault:secret\/data\/crm: .*cannot be reached.*secrets\.vault\.address/,
    );
    const away = gateway.gateway.status().dependencies.find(({ name }) => name === 'secrets vault');
    expect(away).toMatchObject({ kind: 'secret-store', up: false });

    bao = await startOpenBao(port);
    await bao.ask('POST', 'secret/data/crm', { data: { token: FIRST } });
    await until('the server that needs it', () => stateOf(gateway, 'kept').state === 'healthy', 60_000);
    expect((await call(gateway, 'kept')).json?.result).toBeDefined();

    // Its values serve while it is away again.
    bao.freeze();
    try {
      await until(
        'the gateway to see it',
        () => gateway.gateway.status().dependencies.find(({ name }) => name === 'secrets vault')?.up === false,
        30_000,
      );
      expect((await call(gateway, 'kept')).json?.result).toBeDefined();
    } finally {
      bao.thaw();
    }
  }, 120_000);
});
