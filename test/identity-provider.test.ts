/** The identity provider of the demo by itself: who may reach it, what it gives and refuses, what it remembers. */

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openAndLogIn, type Person } from '../examples/oauth-login/person.ts';
import { startIdentityProvider, type IdentityProvider } from '../packages/gateway/src/dev/identity-provider.ts';
import { send } from './harness/http.ts';

const PUBLIC_URL = 'http://127.0.0.1:8080';
const REDIRECT = 'http://127.0.0.1:5555/callback';
const RESOURCE = `${PUBLIC_URL}/mcp`;
const alice: Person = { name: 'alice', password: 'alice' };

type Json = Record<string, unknown>;

let identity: IdentityProvider;

beforeAll(async () => {
  identity = await startIdentityProvider({ port: 0, publicUrl: PUBLIC_URL });
});

afterAll(() => identity?.close());

const json = async (url: string, init?: RequestInit): Promise<Json> => (await (await fetch(url, init)).json()) as Json;

const post = (url: string, body: Readonly<Record<string, string>>): Promise<Json> =>
  json(url, { method: 'POST', body: new URLSearchParams(body) });

async function register(metadata: Json = {}, at = identity): Promise<Json> {
  const body = JSON.stringify({ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', ...metadata });
  return json(`${at.issuer}/reg`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

const VERIFIER = randomBytes(32).toString('base64url');
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

type Asked = Readonly<Record<string, string | undefined>>;

function authorizeUrl(asked: Asked, at = identity): URL {
  const url = new URL(`${at.issuer}/auth`);
  const params: Asked = {
    response_type: 'code',
    redirect_uri: REDIRECT,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    state: 'x',
    resource: RESOURCE,
    ...asked,
  };
  for (const [name, value] of Object.entries(params)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

/** From the log-in page to tokens. */
async function logIn(asked: Asked, person = alice, at = identity): Promise<Json> {
  const arrived = await openAndLogIn(authorizeUrl(asked, at), person);
  const { code } = Object.fromEntries(arrived.searchParams);
  if (code === undefined) throw new Error(String(arrived.searchParams));
  return post(`${at.issuer}/token`, {
    grant_type: 'authorization_code',
    code,
    code_verifier: VERIFIER,
    redirect_uri: arrived.origin + arrived.pathname,
    client_id: asked['client_id'] ?? '',
  });
}

const claimsOf = (token: unknown): Json =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString('utf8')) as Json;

describe('where it listens', () => {
  it.each(['0.0.0.0', '::', '192.168.1.10', '10.0.0.1', 'example.com', '127.0.0.2', '', '2130706433'])(
    'refuses to start on "%s"',
    async (host) => {
      await expect(startIdentityProvider({ host, port: 0, publicUrl: PUBLIC_URL })).rejects.toThrow(
        'listens on 127.0.0.1, ::1 or localhost only',
      );
    },
  );

  it.each(['127.0.0.1', '::1', 'localhost'])('starts on %s', async (host) => {
    const started = await startIdentityProvider({ host, port: 0, publicUrl: PUBLIC_URL });
    expect(await json(`${started.issuer}/.well-known/openid-configuration`)).toHaveProperty('issuer', started.issuer);
    await started.close();
  });

  it.each(['evil.example', 'localhost:1', '127.0.0.1', 'a b'])(
    'turns a request for the host "%s" away',
    async (host) => {
      const answer = await send(`${identity.issuer}/jwks`, { method: 'GET', headers: { host } });
      expect(answer.status).toBe(421);
      expect(answer.text).not.toContain('keys');
    },
  );
});

describe('what it says of itself', () => {
  it.each(['openid-configuration', 'oauth-authorization-server'])('stands at %s', async (name) => {
    expect(await json(`${identity.issuer}/.well-known/${name}`)).toMatchObject({
      issuer: identity.issuer,
      registration_endpoint: `${identity.issuer}/reg`,
      client_id_metadata_document_supported: true,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      grant_types_supported: ['authorization_code', 'refresh_token'],
      response_types_supported: ['code'],
    });
  });

  it('publishes no private key', async () => {
    const { keys } = await json(`${identity.issuer}/jwks`);
    expect(keys).toEqual([expect.not.objectContaining({ d: expect.anything() })]);
  });
});

describe('an authorization request', () => {
  it.each<[what: string, asked: Asked, error: string]>([
    [
      'for a resource that is no endpoint of the gateway',
      { resource: 'https://elsewhere.example/mcp' },
      'invalid_target',
    ],
    ['for the gateway as a whole', { resource: PUBLIC_URL }, 'invalid_target'],
    ['for a path that only begins like an endpoint', { resource: `${RESOURCE}/../admin` }, 'invalid_target'],
    ['for another port of the same machine', { resource: 'http://127.0.0.1:80801/mcp' }, 'invalid_target'],
    ['for no resource at all', { resource: undefined }, 'invalid_target'],
    ['without PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['with plain PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['for a token without a code', { response_type: 'token' }, 'unsupported_response_type'],
  ])('%s is refused, and the client is told', async (_what, asked, error) => {
    const { client_id: clientId } = await register();
    const arrived = await openAndLogIn(authorizeUrl({ client_id: String(clientId), ...asked }), alice);
    const params = new URLSearchParams(arrived.search === '' ? arrived.hash.slice(1) : arrived.search);
    expect(params.get('error')).toBe(error);
    expect(params.get('code')).toBeNull();
  });

  it.each<[what: string, asked: Asked, says: string]>([
    ['to another address than the registered one', { redirect_uri: 'http://127.0.0.1:5555/elsewhere' }, 'redirect_uri'],
    ['to another machine', { redirect_uri: 'http://evil.example/callback' }, 'redirect_uri'],
    ['of a client that nobody knows', { client_id: 'nobody' }, 'This client is not known here.'],
  ])('%s goes nowhere', async (_what, asked, says) => {
    const { client_id: clientId } = await register();
    await expect(openAndLogIn(authorizeUrl({ client_id: String(clientId), ...asked }), alice)).rejects.toThrow(says);
  });

  it('may await its answer on any port of this machine', async () => {
    const { client_id: clientId } = await register();
    const redirect = REDIRECT.replace('5555', '61234');
    const arrived = await openAndLogIn(authorizeUrl({ client_id: String(clientId), redirect_uri: redirect }), alice);
    expect(arrived.origin).toBe('http://127.0.0.1:61234');
    expect(arrived.searchParams.get('iss')).toBe(identity.issuer);
  });
});

describe('a registration', () => {
  it('like the MCP Inspector makes one leads to tokens', async () => {
    const redirect = 'http://localhost:6274/oauth/callback';
    const client = await register({ client_name: 'MCP Inspector', redirect_uris: [redirect] });
    const asked = { client_id: String(client['client_id']), redirect_uri: redirect, scope: 'offline_access' };
    expect(await logIn(asked)).toMatchObject({ token_type: 'Bearer', scope: 'mcp', refresh_token: expect.any(String) });
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
      JSON.stringify({ redirect_uris: [`${origin}/oauth/callback`], token_endpoint_auth_method: 'none' }),
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
    const client = await register({
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: ['https://vscode.dev/redirect', 'http://127.0.0.1/', 'http://127.0.0.1:33418/'],
    });
    const asked = { client_id: String(client['client_id']), redirect_uri: 'http://127.0.0.1:33418/' };
    expect(claimsOf((await logIn(asked))['access_token'])).toMatchObject({ sub: 'alice', aud: RESOURCE });
  });

  it.each([
    ['plain http to another machine', { redirect_uris: ['http://evil.example/callback'] }],
    ['a script as an address', { redirect_uris: ['javascript:alert(1)'] }],
    ['the implicit flow', { response_types: ['token'], grant_types: ['implicit'] }],
  ])('with %s is refused', async (_what, metadata) => {
    expect(await register(metadata)).toHaveProperty('error');
  });

  it('that does not say otherwise gets a secret, and needs it', async () => {
    const client = await register({ token_endpoint_auth_method: undefined });
    expect(client).toMatchObject({ token_endpoint_auth_method: 'client_secret_basic' });
    expect(await logIn({ client_id: String(client['client_id']) })).toHaveProperty('error', 'invalid_client');
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
    const tokens = await logIn({ client_id: publish('/good.json', { client_name: 'A document' }) });
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
    await expect(openAndLogIn(authorizeUrl({ client_id: clientId() }), alice)).rejects.toThrow(
      /This client is not known here\.|metadata document/,
    );
  });
});

describe('the log-in form', () => {
  const open = async (): Promise<{ readonly action: string; readonly cookie: string; readonly page: Response }> => {
    const { client_id: clientId } = await register({ client_name: '<b onload="x">\u202Egood</b>' });
    const first = await fetch(authorizeUrl({ client_id: String(clientId) }), { redirect: 'manual' });
    const cookie = first.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ');
    const location = `${identity.issuer}${first.headers.get('location')}`;
    const page = await fetch(location, { headers: { cookie } });
    return { action: `${location}/login`, cookie, page };
  };

  const submit = (action: string, headers: Readonly<Record<string, string>>, password = 'alice', name = 'alice') =>
    fetch(action, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams({ name, password }) });

  it('shows what the client calls itself as text, and allows no script and no frame', async () => {
    const { page } = await open();
    const text = await page.text();
    expect(text).toContain('&lt;b onload=&quot;x&quot;&gt;\uFFFDgood&lt;/b&gt;');
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self' http:\/\/127\.0\.0\.1:5555; base-uri 'none'; frame-ancestors 'none'$/,
    );
  });

  it('says that name and password do not belong together, whichever is wrong', async () => {
    const { action, cookie } = await open();
    const wrong = await submit(action, { cookie }, 'guess');
    const nobody = await submit(action, { cookie }, 'guess', 'mallory');
    expect([wrong.status, nobody.status]).toEqual([422, 422]);
    const texts = [await wrong.text(), (await nobody.text()).replace('mallory', 'alice')];
    expect(texts[0]).toContain('Name and password do not belong together.');
    expect(texts[0]).toBe(texts[1]);
  });

  it('is of no use without the cookie, with another cookie, or from another site', async () => {
    const [mine, other] = [await open(), await open()];
    const statuses = await Promise.all([
      submit(mine.action, {}),
      submit(mine.action, { cookie: other.cookie }),
      submit(mine.action, { cookie: mine.cookie, origin: 'https://evil.example' }),
      submit(mine.action, { cookie: mine.cookie, origin: 'null' }),
      submit(mine.action, { cookie: mine.cookie, 'sec-fetch-site': 'cross-site' }),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([400, 400, 403, 403, 403]);
    expect((await submit(mine.action, { cookie: mine.cookie, origin: identity.issuer })).status).toBe(303);
  });

  it('stops guessing', async () => {
    const guarded = await startIdentityProvider({ port: 0, publicUrl: PUBLIC_URL });
    const { client_id: clientId } = await register({}, guarded);
    const guess = () =>
      openAndLogIn(authorizeUrl({ client_id: String(clientId) }, guarded), { name: 'bob', password: 'guess' });
    for (let attempt = 0; attempt < 10; attempt += 1) await expect(guess()).rejects.toThrow('do not belong together');
    await expect(guess()).rejects.toThrow('Too many attempts');
    await guarded.close();
  });
});

describe('the gateway as a client', () => {
  it('learns who someone is and when they logged in, without a question to them', async () => {
    const redirect = `${PUBLIC_URL}/login/callback`;
    const asked = { client_id: 'sallyport-gateway', redirect_uri: redirect, resource: undefined };
    const tokens = await logIn({ ...asked, scope: 'openid profile groups', nonce: 'n' }, { ...alice, answer: 'deny' });
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
    await openAndLogIn(authorizeUrl(gateway), alice, { cookies });
    const again = openAndLogIn(
      authorizeUrl({ ...gateway, ...asked }),
      { name: 'alice', password: 'wrong' },
      { cookies },
    );
    if (form) await expect(again).rejects.toThrow('do not belong together');
    else expect((await again).searchParams.get('code')).not.toBeNull();
  });
});

describe('after a restart', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-identity-'));
  const files = { keys: path.join(folder, 'keys.json'), store: path.join(folder, 'store.json') };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('keys, clients and refresh tokens are what they were, in files that nobody else may read', async () => {
    const first = await startIdentityProvider({ port: 0, publicUrl: PUBLIC_URL, files });
    const { client_id: clientId } = await register({}, first);
    const tokens = await logIn({ client_id: String(clientId) }, alice, first);
    const keys = await json(`${first.issuer}/jwks`);
    await first.close();
    expect([files.keys, files.store].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);

    const port = Number(new URL(first.issuer).port);
    const second = await startIdentityProvider({ port, publicUrl: PUBLIC_URL, files });
    // On connections of their own: those of the pool ended with the first.
    const published = await send(`${second.issuer}/jwks`, { method: 'GET' });
    expect(JSON.parse(published.text)).toEqual(keys);
    const refreshed = await send(`${second.issuer}/token`, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: String(tokens['refresh_token']),
        client_id: String(clientId),
      }).toString(),
    });
    const { access_token: token } = JSON.parse(refreshed.text) as Json;
    expect(claimsOf(token)).toMatchObject({ sub: 'alice', aud: RESOURCE });
    await second.close();
  });
});
