/** Who may be a client of the identity provider: those that register, those that have a document, and the gateway itself. */

import { createServer } from 'node:http';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openAndLogIn } from '../examples/oauth-login/person.ts';
import { startIdentityProvider, type IdentityProvider } from '../packages/gateway/src/dev/identity-provider.ts';
import { send } from './harness/http.ts';
import {
  alice,
  authorizeUrl,
  claimsOf,
  json,
  logIn,
  PUBLIC_URL,
  REDIRECT,
  register,
  RESOURCE,
  VERIFIER,
} from './harness/identity.ts';
import type { Asked, Json } from './harness/identity.ts';

let identity: IdentityProvider;

beforeAll(async () => {
  identity = await startIdentityProvider({ port: 0, publicUrl: PUBLIC_URL });
});

afterAll(() => identity?.close());

describe('a registration', () => {
  it('like the MCP Inspector makes one leads to tokens', async () => {
    const redirect = 'http://localhost:6274/oauth/callback';
    const client = await register(identity.issuer, { client_name: 'MCP Inspector', redirect_uris: [redirect] });
    const asked = { client_id: String(client['client_id']), redirect_uri: redirect, scope: 'offline_access' };
    expect(await logIn(identity.issuer, asked)).toMatchObject({
      token_type: 'Bearer',
      scope: 'mcp',
      refresh_token: expect.any(String),
    });
  });

  it('from the page of the MCP Inspector may be read by it, and so may its tokens', async () => {
    const origin = 'http://localhost:6274';
    const ask = async (at: string, method: string, headers: Readonly<Record<string, string>>, body?: string) =>
      send(`${identity.issuer}${at}`, {
        method,
        headers: { origin, ...headers },
        ...(body === undefined ? {} : { body }),
      });
    const discovered = await ask('/.well-known/oauth-authorization-server', 'GET', {
      'mcp-protocol-version': '2025-11-25',
    });
    const preflight = await ask('/reg', 'OPTIONS', {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    });
    const registered = await ask(
      '/reg',
      'POST',
      { 'content-type': 'application/json' },
      // As it was seen to send it: it asks for the scopes that the resource names, which are none here.
      JSON.stringify({ redirect_uris: [`${origin}/oauth/callback`], token_endpoint_auth_method: 'none', scope: '' }),
    );
    const { client_id: clientId } = JSON.parse(registered.text) as Json;
    const traded = await ask(
      '/token',
      'POST',
      { 'content-type': 'application/x-www-form-urlencoded' },
      `grant_type=authorization_code&code=x&code_verifier=${VERIFIER}&client_id=${String(clientId)}`,
    );
    expect([discovered, preflight, registered, traded].map(({ status }) => status)).toEqual([200, 204, 201, 400]);
    for (const { headers } of [discovered, preflight, registered, traded]) {
      expect(headers['access-control-allow-origin']).toBe(origin);
    }
  });

  it.each(['https://evil.example', 'http://localhost.evil.example', 'null'])(
    'from a page of %s is not taken',
    async (origin) => {
      const headers = { origin, 'content-type': 'application/json' };
      const body = JSON.stringify({ redirect_uris: [REDIRECT] });
      expect((await send(`${identity.issuer}/reg`, { headers, body })).status).toBe(403);
    },
  );

  it('like VS Code makes one leads to tokens', async () => {
    const client = await register(identity.issuer, {
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: ['https://vscode.dev/redirect', 'http://127.0.0.1/', 'http://127.0.0.1:33418/'],
    });
    const asked = { client_id: String(client['client_id']), redirect_uri: 'http://127.0.0.1:33418/' };
    expect(claimsOf((await logIn(identity.issuer, asked))['access_token'])).toMatchObject({
      sub: 'alice',
      aud: RESOURCE,
    });
  });

  it.each([
    ['plain http to another machine', { redirect_uris: ['http://evil.example/callback'] }],
    ['a script as an address', { redirect_uris: ['javascript:alert(1)'] }],
    ['the implicit flow', { response_types: ['token'], grant_types: ['implicit'] }],
  ])('with %s is refused', async (_what, metadata) => {
    expect(await register(identity.issuer, metadata)).toHaveProperty('error');
  });

  it('that does not say otherwise gets a secret, and needs it', async () => {
    const client = await register(identity.issuer, { token_endpoint_auth_method: undefined });
    expect(client).toMatchObject({ token_endpoint_auth_method: 'client_secret_basic' });
    expect(await logIn(identity.issuer, { client_id: String(client['client_id']) })).toHaveProperty(
      'error',
      'invalid_client',
    );
  });
});

describe('a client that is known by the address of a document', () => {
  const documents = new Map<string, Json>();
  const server = createServer((request, response) => {
    const document = documents.get(request.url ?? '');
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  let base = '';

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });

  afterAll(() => void server.close());

  const publish = (at: string, document: Json): string => {
    documents.set(at, { client_id: `${base}${at}`, redirect_uris: [REDIRECT], ...document });
    return `${base}${at}`;
  };

  it('on this machine gets tokens', async () => {
    const tokens = await logIn(identity.issuer, { client_id: publish('/good.json', { client_name: 'A document' }) });
    expect(claimsOf(tokens['access_token'])).toMatchObject({ client_id: `${base}/good.json` });
  });

  it.each<[what: string, clientId: () => string]>([
    ['that names another', () => publish('/other.json', { client_id: 'https://other.example/client.json' })],
    ['whose answers go elsewhere', () => publish('/far.json', { redirect_uris: ['https://evil.example/callback'] })],
    ['that is not there', () => `${base}/absent.json`],
    ['under a name of this machine', () => publish('/name.json', {}).replace('127.0.0.1', 'localhost')],
    ['in another spelling of the address', () => publish('/spelt.json', {}).replace('127.0.0.1', '2130706433')],
    ['over http on another machine', () => 'http://192.0.2.1/client.json'],
    ['over https inside', () => 'https://127.0.0.1/client.json'],
    ['where clouds keep their secrets', () => 'https://169.254.169.254/client.json'],
  ])('%s is refused', async (_what, clientId) => {
    await expect(openAndLogIn(authorizeUrl(identity.issuer, { client_id: clientId() }), alice)).rejects.toThrow(
      /This client is not known here\.|metadata document/,
    );
  });
});

describe('the gateway as a client', () => {
  it('learns who someone is and when they logged in, without a question to them', async () => {
    const redirect = `${PUBLIC_URL}/login/callback`;
    const asked = { client_id: 'sallyport-gateway', redirect_uri: redirect, resource: undefined };
    const tokens = await logIn(
      identity.issuer,
      { ...asked, scope: 'openid profile groups', nonce: 'n' },
      { ...alice, answer: 'deny' },
    );
    const who = { sub: 'alice', preferred_username: 'alice', groups: ['engineering'] };
    expect(claimsOf(tokens['id_token'])).toMatchObject({
      ...who,
      aud: 'sallyport-gateway',
      nonce: 'n',
      auth_time: expect.any(Number),
    });
    const headers = { authorization: `Bearer ${String(tokens['access_token'])}` };
    expect(await json(`${identity.issuer}/me`, { headers })).toMatchObject(who);
  });

  it.each<[what: string, asked: Asked, form: boolean]>([
    ['remembers the browser', {}, false],
    ['asks for the password again where a fresh log-in is wanted', { prompt: 'login' }, true],
    ['asks for the password again where the log-in may not be older than now', { max_age: '0' }, true],
  ])('%s', async (_what, asked, form) => {
    const cookies = new Map<string, string>();
    const redirect = `${PUBLIC_URL}/login/callback`;
    const gateway = { client_id: 'sallyport-gateway', redirect_uri: redirect, resource: undefined, scope: 'openid' };
    await openAndLogIn(authorizeUrl(identity.issuer, gateway), alice, { cookies });
    const again = openAndLogIn(
      authorizeUrl(identity.issuer, { ...gateway, ...asked }),
      { name: 'alice', password: 'wrong' },
      { cookies },
    );
    if (form) await expect(again).rejects.toThrow('do not belong together');
    else expect((await again).searchParams.get('code')).not.toBeNull();
  });
});
