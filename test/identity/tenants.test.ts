/**
 * Two tenants whose users have the same names and groups, on every kind of endpoint, in both eras, with everything that is
 * sealed or shared: nothing crosses.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startSessionServer, type SessionServer } from '../fixtures/session-server.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { legacy, modern, send, type HttpAnswer, type HttpRequest } from '../harness/http.ts';
import { openSession, post, startIdentityProvider, withCredential, type IdentityProvider } from './world.ts';

type Tenant = 'acme' | 'globex';

const OTHER: Readonly<Record<Tenant, Tenant>> = { acme: 'globex', globex: 'acme' };
const TENANTS: readonly Tenant[] = ['acme', 'globex'];
const ENDPOINTS = ['/mcp', '/servers/shared/mcp', '/servers/own/mcp'] as const;

const permit = (tenant: Tenant, servers: readonly string[]): string =>
  servers
    .map((server) => `permit (principal in Group::"${tenant}#engineering", action, resource in Server::"${server}");\n`)
    .join('');

describe('two tenants', () => {
  let upstream: SessionServer;
  let gateway: TestGateway;
  let idps: Readonly<Record<Tenant, IdentityProvider>>;

  beforeAll(async () => {
    const [server, acme, globex] = await Promise.all([
      startSessionServer(),
      startIdentityProvider(),
      startIdentityProvider(),
    ]);
    upstream = server;
    idps = { acme, globex };
    gateway = await startTestGateway({
      policies:
        permit('acme', ['shared', 'own', 'counted', 'acme-only']) + permit('globex', ['shared', 'own', 'counted']),
      yaml: [
        '  audience: gateway',
        `  issuers: [{ issuer: "${acme.url}", tenant: acme }, { issuer: "${globex.url}", tenantClaim: org }]`,
        'servers:',
        `  shared: { url: "${upstream.url}", sharing: shared, tools: { "*": { readOnly: true } } }`,
        `  own: { url: "${upstream.url}", tools: { "*": { readOnly: true } } }`,
        `  counted: { url: "${upstream.url}" }`,
        `  acme-only: { url: "${upstream.url}" }`,
        'limits:',
        '  - { per: tenant, server: counted, tool: tool_1, rate: 1/hour, burst: 1 }',
        '  - { per: server, server: counted, tool: tool_2, rate: 1/hour, burst: 1 }',
        '  - { per: tool, server: counted, tool: tool_3, rate: 1/hour, burst: 1 }',
      ].join('\n'),
    });
  });

  afterAll(async () => {
    await gateway?.close();
    await Promise.all([upstream?.close(), ...Object.values(idps ?? {}).map((idp) => idp.close())]);
  });

  const tokens = new Map<string, Promise<string>>();
  const tokenOf = (tenant: Tenant, sub = 'carol'): Promise<string> => {
    const key = `${tenant}/${sub}`;
    const token = tokens.get(key) ?? idps[tenant].token({ aud: gateway.url, sub, org: tenant });
    tokens.set(key, token);
    return token;
  };

  const ask = async (tenant: Tenant, path: string, request: HttpRequest, sub?: string): Promise<HttpAnswer> =>
    post(gateway, path, await tokenOf(tenant, sub), request);

  const call = (path: string, name = 'whoami'): HttpRequest =>
    modern('tools/call', { name: path === '/mcp' ? `shared_${name}` : name, arguments: {} });

  const textOf = ({ json, text }: HttpAnswer): string => {
    const content = json?.result?.['content'] as readonly { readonly text: string }[] | undefined;
    if (content?.[0] === undefined) throw new Error(text);
    return content[0].text;
  };

  describe.each(ENDPOINTS)('on %s', (path) => {
    test.each(TENANTS)('a session of %s is unknown to the other, for every request that names it', async (tenant) => {
      const { session } = await openSession(gateway, path, await tokenOf(tenant));
      const stranger = await tokenOf(OTHER[tenant]);
      const name = path === '/mcp' ? 'shared_whoami' : 'whoami';
      for (const request of [
        legacy('tools/list', {}, session),
        legacy('ping', {}, session),
        legacy('tools/call', { name, arguments: {} }, session),
      ]) {
        expect((await ask(tenant, path, request)).json?.result, request.body.toString()).toBeDefined();
        expect((await post(gateway, path, stranger, request)).status).toBe(404);
      }
      for (const method of ['GET', 'DELETE']) {
        const headers = { 'mcp-session-id': session, accept: 'text/event-stream' };
        const request = withCredential({ method, headers }, stranger);
        expect((await send(`${gateway.url}${path}`, request)).status, method).toBe(404);
      }
      // It was not ended by the stranger.
      expect((await ask(tenant, path, legacy('tools/list', {}, session))).json?.result).toBeDefined();
    });

    test.each(TENANTS)('a modern cursor of %s goes on for itself only', async (tenant) => {
      const first = await ask(tenant, path, modern('tools/list'));
      const cursor = first.json?.result?.['nextCursor'];
      expect(cursor).toEqual(expect.any(String));
      const next = modern('tools/list', { cursor });
      expect((await ask(tenant, path, next)).json?.result).toBeDefined();
      const stolen = await ask(OTHER[tenant], path, next);
      expect(stolen.json?.result).toBeUndefined();
      expect(stolen.json?.error?.data).toMatchObject({ reason: 'invalid-state' });
    });

    test.each(TENANTS)(
      'a legacy cursor of %s goes on for itself only, in a session of the other too',
      async (tenant) => {
        const own = await openSession(gateway, path, await tokenOf(tenant));
        const first = await ask(tenant, path, legacy('tools/list', {}, own.session));
        const cursor = first.json?.result?.['nextCursor'];
        expect(cursor).toEqual(expect.any(String));
        expect((await ask(tenant, path, legacy('tools/list', { cursor }, own.session))).json?.result).toBeDefined();
        const strange = await openSession(gateway, path, await tokenOf(OTHER[tenant]));
        const stolen = await ask(OTHER[tenant], path, legacy('tools/list', { cursor }, strange.session));
        expect(stolen.json?.result).toBeUndefined();
        expect(stolen.json?.error).toBeDefined();
      },
    );
  });

  test('share no upstream, not even of a server that is shared; users of one tenant do', async () => {
    const at = (tenant: Tenant, path: string, sub: string): Promise<string> =>
      ask(tenant, path, call(path), sub).then(textOf);
    const shared = '/servers/shared/mcp';
    const [carol, dave, stranger] = [
      await at('acme', shared, 'carol'),
      await at('acme', shared, 'dave'),
      await at('globex', shared, 'carol'),
    ];
    expect(dave).toBe(carol);
    expect(stranger).not.toBe(carol);
    expect(await at('globex', '/mcp', 'carol')).toBe(stranger);

    const own = '/servers/own/mcp';
    const sessions = [await at('acme', own, 'carol'), await at('acme', own, 'dave'), await at('globex', own, 'carol')];
    expect(new Set(sessions).size).toBe(3);
  });

  test('use up no limit of each other', async () => {
    const path = '/servers/counted/mcp';
    for (const tool of ['tool_1', 'tool_2', 'tool_3']) {
      const statuses = [];
      for (const tenant of ['acme', 'acme', 'globex', 'globex'] as const) {
        statuses.push((await ask(tenant, path, call(path, tool), 'erin')).status);
      }
      expect(statuses, tool).toEqual([200, 429, 200, 429]);
    }
  });

  test('see no server of each other, and it looks like one that does not exist', async () => {
    const path = '/servers/acme-only/mcp';
    expect((await ask('acme', path, modern('tools/list'))).json?.result).toBeDefined();
    const hidden = await ask('globex', path, modern('tools/list'));
    const unknown = await ask('globex', '/servers/nowhere/mcp', modern('tools/list'));
    const plain = ({ text }: HttpAnswer): string => text.replaceAll(/[0-9a-f-]{36}/gu, '<id>');
    expect(hidden.status).toBe(404);
    expect(plain(hidden)).toBe(plain(unknown));
    const listed = JSON.stringify((await ask('globex', '/mcp', modern('tools/list'))).json?.result);
    expect(listed).not.toContain('acme-only');
  });

  test('cannot be chosen by a request: only the issuer, or its claim, says whose it is', async () => {
    const request = modern('tools/list');
    const headers = { ...request.headers, 'x-tenant': 'acme', 'x-tenant-id': 'acme', 'mcp-tenant': 'acme' };
    const claimed = withCredential({ ...request, headers }, await tokenOf('globex'));
    expect((await send(`${gateway.url}/servers/acme-only/mcp?tenant=acme`, claimed)).status).toBe(404);
    // This issuer's tenant is fixed: what its tokens claim of another counts for nothing.
    const lying = await idps.acme.token({ aud: gateway.url, sub: 'carol', org: 'globex', tenant: 'globex' });
    expect((await post(gateway, '/servers/acme-only/mcp', lying, request)).json?.result).toBeDefined();
  });

  test('are named in every record of theirs', async () => {
    await gateway.gateway.close(2_000);
    const records = gateway.records() as unknown as readonly {
      readonly actor?: { readonly idp?: { readonly uid: string } };
      readonly metadata: { readonly tenant_uid?: string };
    }[];
    for (const tenant of TENANTS) {
      const own = records.filter(({ actor }) => actor?.idp?.uid === idps[tenant].url);
      expect(own.length).toBeGreaterThan(10);
      expect(new Set(own.map(({ metadata }) => metadata.tenant_uid))).toEqual(new Set([tenant]));
    }
  });
});
