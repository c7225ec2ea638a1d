/** The identity provider of the demo by itself: who may reach it, what it gives and refuses, what it remembers. */

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

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
  newClient,
  PUBLIC_URL,
  REDIRECT,
  register,
  RESOURCE,
} from './harness/identity.ts';
import type { Asked, Json } from './harness/identity.ts';

let identity: IdentityProvider;

beforeAll(async () => {
  identity = await startIdentityProvider({ port: 0, publicUrl: PUBLIC_URL });
});

afterAll(() => identity?.close());

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
    const clientId = await newClient(identity.issuer);
    const arrived = await openAndLogIn(authorizeUrl(identity.issuer, { client_id: clientId, ...asked }), alice);
    const params = new URLSearchParams(arrived.search === '' ? arrived.hash.slice(1) : arrived.search);
    expect(params.get('error')).toBe(error);
    expect(params.get('code')).toBeNull();
  });

  it.each<[what: string, asked: Asked, says: string]>([
    ['to another address than the registered one', { redirect_uri: 'http://127.0.0.1:5555/elsewhere' }, 'redirect_uri'],
    ['to another machine', { redirect_uri: 'http://evil.example/callback' }, 'redirect_uri'],
    ['of a client that nobody knows', { client_id: 'nobody' }, 'This client is not known here.'],
  ])('%s goes nowhere', async (_what, asked, says) => {
    const clientId = await newClient(identity.issuer);
    await expect(openAndLogIn(authorizeUrl(identity.issuer, { client_id: clientId, ...asked }), alice)).rejects.toThrow(
      says,
    );
  });

  it('may await its answer on any port of this machine', async () => {
    const clientId = await newClient(identity.issuer);
    const redirect = REDIRECT.replace('5555', '61234');
    const arrived = await openAndLogIn(
      authorizeUrl(identity.issuer, { client_id: clientId, redirect_uri: redirect }),
      alice,
    );
    expect(arrived.origin).toBe('http://127.0.0.1:61234');
    expect(arrived.searchParams.get('iss')).toBe(identity.issuer);
  });
});

describe('the log-in form', () => {
  const open = async (): Promise<{ readonly action: string; readonly cookie: string; readonly page: Response }> => {
    const { client_id: clientId } = await register(identity.issuer, { client_name: '<b onload="x">\u202Egood</b>' });
    const first = await fetch(authorizeUrl(identity.issuer, { client_id: String(clientId) }), { redirect: 'manual' });
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
    const clientId = await newClient(guarded.issuer);
    const guess = () =>
      openAndLogIn(authorizeUrl(guarded.issuer, { client_id: clientId }), { name: 'bob', password: 'guess' });
    for (let attempt = 0; attempt < 10; attempt += 1) await expect(guess()).rejects.toThrow('do not belong together');
    await expect(guess()).rejects.toThrow('Too many attempts');
    await guarded.close();
  });
});

describe('after a restart', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-identity-'));
  const files = { keys: path.join(folder, 'keys.json'), store: path.join(folder, 'store.json') };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('keys, clients and refresh tokens are what they were, in files that nobody else may read', async () => {
    const first = await startIdentityProvider({ port: 0, publicUrl: PUBLIC_URL, files });
    const clientId = await newClient(first.issuer);
    const tokens = await logIn(first.issuer, { client_id: clientId });
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
        client_id: clientId,
      }).toString(),
    });
    const { access_token: token } = JSON.parse(refreshed.text) as Json;
    expect(claimsOf(token)).toMatchObject({ sub: 'alice', aud: RESOURCE });
    await second.close();
  });
});
