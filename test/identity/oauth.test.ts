/** The gateway as an OAuth 2.1 resource server: metadata, challenges, audiences and scopes, in both eras. */

import {
  checkResourceAllowed,
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
} from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startMisbehavingServer, type MisbehavingServer } from '../fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { legacy, modern, send, type HttpAnswer } from '../harness/http.ts';
import { comparable, openSession, post, startIdentityProvider, type IdentityProvider } from './world.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

let upstream: MisbehavingServer;
let idp: IdentityProvider;
let gateway: TestGateway;
let whole: TestGateway;

const servers = (): string[] => [
  'servers:',
  '  plain:',
  `    url: "${upstream.url}"`,
  '    allow: [{ group: engineering, tools: ["*"], resources: ["*"] }]',
  '  guarded:',
  `    url: "${upstream.url}"`,
  '    scopes: ["guarded:use"]',
  '    tools: { ok: { readOnly: true, scopes: ["notes:read"] }, "ha*": { scopes: ["notes:write", "notes:read"] } }',
  '    allow: [{ group: engineering, tools: [ok, hang] }]',
];

beforeAll(async () => {
  [upstream, idp] = await Promise.all([startMisbehavingServer(), startIdentityProvider()]);
  const issuer = `  issuers: [{ issuer: "${idp.url}", audiences: ["api://sallyport"] }]`;
  gateway = await startTestGateway({
    yaml: [
      issuer,
      '  scopes:',
      '    required: [mcp]',
      '    implies: { admin: ["notes:write", "guarded:use"], "notes:write": ["notes:read"] }',
      ...servers(),
    ].join('\n'),
  });
  whole = await startTestGateway({ yaml: [issuer, '  audience: gateway', ...servers()].join('\n') });
});

afterAll(async () => {
  await Promise.all([gateway?.close(), whole?.close()]);
  await Promise.all([upstream?.close(), idp?.close()]);
});

const metadata = async (of: TestGateway, path: string): Promise<Record<string, unknown>> => {
  const answer = await send(`${of.url}${WELL_KNOWN}${path}`, { method: 'GET' });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text) as Record<string, unknown>;
};

const tokenFor = (path: string, scope = 'mcp', of = gateway): Promise<string> =>
  idp.token({ aud: `${of.url}${path}`, scope });

const asResponse = ({ status, headers }: HttpAnswer): Response =>
  new Response(null, { status, headers: { 'www-authenticate': headers['www-authenticate'] ?? '' } });

describe('the official SDK', () => {
  test.each<[string, () => TestGateway, string]>([
    ['the endpoint', () => gateway, '/servers/guarded/mcp'],
    ['the gateway as a whole', () => whole, ''],
  ])('finds out what to ask for, where tokens are for %s', async (_, of, resource) => {
    const endpoint = new URL(`${of().url}/servers/guarded/mcp`);
    const challenge = extractWWWAuthenticateParams(asResponse(await post(of(), '/servers/guarded/mcp', undefined)));
    expect(challenge.resourceMetadataUrl?.href).toBe(`${of().url}${WELL_KNOWN}${resource}`);
    const at = challenge.resourceMetadataUrl;
    const options = at === undefined ? {} : { resourceMetadataUrl: at };
    const found = await discoverOAuthProtectedResourceMetadata(endpoint, options);
    expect(found.authorization_servers).toEqual([idp.url]);
    const allowed = checkResourceAllowed({ requestedResource: endpoint, configuredResource: found.resource });
    expect(allowed).toBe(true);
    // As the SDK sends it as `resource`, and so as the issuer puts it into the token: the href of a URL object.
    const token = await idp.token({ aud: new URL(found.resource).href, scope: 'mcp guarded:use' });
    expect((await post(of(), '/servers/guarded/mcp', token, modern('tools/list'))).status).toBe(200);
  });

  test('reads from a refusal which scopes to step up to', async () => {
    const path = '/servers/guarded/mcp';
    const answer = await post(gateway, path, await tokenFor(path));
    expect(extractWWWAuthenticateParams(asResponse(answer))).toMatchObject({
      error: 'insufficient_scope',
      scope: 'mcp guarded:use notes:read',
    });
  });
});

describe('who asks without a credential', () => {
  test.each(['', '/mcp', '/servers/plain/mcp', '/servers/nothing-here/mcp'])(
    'finds the metadata of %j: the resource, the issuers, and the scopes of the gateway',
    async (path) => {
      expect(await metadata(gateway, path)).toEqual({
        resource: `${gateway.url}${path}`,
        authorization_servers: [idp.url],
        scopes_supported: ['mcp'],
        bearer_methods_supported: ['header'],
      });
    },
  );

  test('is challenged with the metadata of the endpoint and the scopes of the gateway', async () => {
    const answer = await post(gateway, '/servers/guarded/mcp', undefined);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer scope="mcp", resource_metadata="${gateway.url}${WELL_KNOWN}/servers/guarded/mcp"`,
    );
  });

  test.each<[string, (path: string) => Promise<HttpAnswer>]>([
    ['a modern call', (path) => post(gateway, path, undefined)],
    ['initialize', (path) => post(gateway, path, undefined, legacy('initialize'))],
    ['a call with an unknown key', (path) => post(gateway, path, `sp_${'A'.repeat(49)}`)],
    ['a stream', (path) => send(`${gateway.url}${path}`, { method: 'GET' })],
    ['the metadata', (path) => send(`${gateway.url}${WELL_KNOWN}${path}`, { method: 'GET' })],
    ['a preflight', (path) => send(`${gateway.url}${path}`, { method: 'OPTIONS' })],
  ])('cannot tell by %s which servers there are', async (_, ask) => {
    const known = await ask('/servers/guarded/mcp');
    const unknown = await ask('/servers/unknown/mcp');
    expect(comparable(unknown)).toEqual(JSON.parse(JSON.stringify(comparable(known)).replaceAll('guarded', 'unknown')));
  });
});

describe('a token', () => {
  test.each<[string, (url: string) => string | string[], number]>([
    ['this endpoint', (url) => `${url}/servers/plain/mcp`, 200],
    ['this endpoint and others', (url) => ['https://elsewhere.example', `${url}/servers/plain/mcp`], 200],
    ['an audience of its issuer', () => 'api://sallyport', 200],
    ['another endpoint', (url) => `${url}/servers/guarded/mcp`, 401],
    ['the aggregate endpoint', (url) => `${url}/mcp`, 401],
    ['the gateway as a whole', (url) => url, 401],
    ['this endpoint with a slash more', (url) => `${url}/servers/plain/mcp/`, 401],
  ])('for %s is judged by its audience alone where tokens are for endpoints', async (_, aud, status) => {
    const token = await idp.token({ aud: aud(gateway.url), scope: 'mcp' });
    expect((await post(gateway, '/servers/plain/mcp', token)).status).toBe(status);
  });

  test('for the gateway is good at every endpoint where the operator says so, and the metadata names the gateway', async () => {
    for (const aud of [whole.url, `${whole.url}/`]) {
      const token = await idp.token({ aud });
      expect((await post(whole, '/servers/plain/mcp', token)).status).toBe(200);
      expect((await post(whole, '/mcp', token, modern('tools/list'))).status).toBe(200);
    }
    expect(await metadata(whole, '/servers/plain/mcp')).toMatchObject({ resource: whole.url });
    expect(await metadata(whole, '')).toMatchObject({ resource: whole.url });
    const answer = await post(whole, '/servers/plain/mcp', undefined);
    expect(answer.headers['www-authenticate']).toBe(`Bearer resource_metadata="${whole.url}${WELL_KNOWN}"`);
    const elsewhere = await idp.token({ aud: `${whole.url}/servers/guarded/mcp` });
    expect((await post(whole, '/servers/plain/mcp', elsewhere)).status).toBe(401);
  });

  test('in the query is refused even beside a good one, whichever way its name is written', async () => {
    const token = await tokenFor('/servers/plain/mcp');
    for (const query of [`access_token=${token}`, `a=b&access%5Ftoken=${token}`]) {
      const answer = await post(gateway, `/servers/plain/mcp?${query}`, token);
      expect(answer.status).toBe(400);
      expect(answer.json?.error?.message).toContain('query');
      expect(answer.text).not.toContain(token);
    }
    expect(gateway.log.at(-1)).toMatchObject({ outcome: 'invalid-request', path: '/servers/plain/mcp' });
    expect(JSON.stringify(gateway.log)).not.toContain(token);
  });

  test('is refused when a second Authorization header stands beside it', async () => {
    const token = await tokenFor('/servers/plain/mcp');
    const request = { ...modern('tools/list'), headers: { ...modern('tools/list').headers } };
    const answer = await send(`${gateway.url}/servers/plain/mcp`, {
      ...request,
      headers: { ...request.headers, authorization: [`Bearer ${token}`, `Bearer ${token}`] },
    });
    expect(answer.status).toBe(400);
    expect(gateway.log.at(-1)).toMatchObject({ reason: 'The header authorization was sent more than once.' });
  });
});

describe('scopes', () => {
  const GUARDED = '/servers/guarded/mcp';
  const challenged = (scopes: string, path = GUARDED): string =>
    `Bearer error="insufficient_scope", scope="${scopes}", resource_metadata="${gateway.url}${WELL_KNOWN}${path}"`;

  test('that are missing are all named at once, with 403, and the refusal is recorded', async () => {
    const answer = await post(gateway, GUARDED, await tokenFor(GUARDED));
    expect(answer.status).toBe(403);
    expect(answer.headers['www-authenticate']).toBe(challenged('mcp guarded:use notes:read'));
    expect(answer.json?.error).toMatchObject({
      code: -31_403,
      data: { reason: 'insufficient-scope', scopes: ['mcp', 'guarded:use', 'notes:read'] },
    });
    await expect
      .poll(() => JSON.stringify(gateway.records()))
      .toContain('"response":{"code":403,"error":"insufficient-scope"}');
    expect(gateway.log.at(-1)).toMatchObject({
      outcome: 'insufficient-scope',
      target: 'guarded/ok',
      reason: expect.stringContaining('guarded:use'),
    });
  });

  test('are named without those that another of them includes', async () => {
    const answer = await post(gateway, GUARDED, await tokenFor(GUARDED), modern('tools/call', { name: 'hang' }));
    expect(answer.headers['www-authenticate']).toBe(challenged('mcp guarded:use notes:write'));
  });

  test.each(['mcp guarded:use notes:read', 'mcp guarded:use notes:write', 'admin mcp'])(
    'as wide as "%s" let the call through, by name or because one includes the other',
    async (scope) => {
      const answer = await post(gateway, GUARDED, await tokenFor(GUARDED, scope));
      expect(answer.json?.result, answer.text).toBeDefined();
    },
  );

  test('are asked of legacy clients in the same way, also when a session is opened', async () => {
    const narrow = await tokenFor(GUARDED);
    const { opened } = await openSession(gateway, GUARDED, narrow);
    expect(opened.status).toBe(403);
    expect(opened.headers['www-authenticate']).toBe(challenged('mcp guarded:use'));

    const wider = await tokenFor(GUARDED, 'mcp guarded:use');
    const { session } = await openSession(gateway, GUARDED, wider);
    const call = legacy('tools/call', { name: 'ok', arguments: { text: 'x' } }, session);
    const refused = await post(gateway, GUARDED, wider, call);
    expect(refused.status).toBe(403);
    expect(refused.headers['www-authenticate']).toBe(challenged('mcp guarded:use notes:read'));
    // The session is the principal's, and a wider token is the same principal.
    const widest = await tokenFor(GUARDED, 'admin mcp');
    expect((await post(gateway, GUARDED, widest, call)).json?.result).toBeDefined();
  });

  test('that are missing hide nothing from a list, because a wider token would help', async () => {
    const answer = await post(gateway, '/mcp', await tokenFor('/mcp'), modern('tools/list'));
    expect(JSON.stringify(answer.json?.result)).toContain('"guarded_ok"');
    const call = modern('tools/call', { name: 'guarded_ok', arguments: { text: 'x' } });
    const refused = await post(gateway, '/mcp', await tokenFor('/mcp'), call);
    expect(refused.headers['www-authenticate']).toBe(challenged('mcp guarded:use notes:read', '/mcp'));
  });

  test('are not asked for what policy hides: that stays unknown', async () => {
    const stranger = await idp.token({ aud: `${gateway.url}${GUARDED}`, scope: 'mcp', groups: [] });
    const answer = await post(gateway, GUARDED, stranger);
    expect(answer.status).toBe(404);
    expect(answer.headers['www-authenticate']).toBeUndefined();
  });

  test('bind no API key', async () => {
    const answer = await post(gateway, GUARDED, gateway.keys.alice);
    expect(answer.json?.result, answer.text).toBeDefined();
  });
});
