/** Whoever tries to get at somebody else's consent, or to give theirs to somebody else, and servers that lie about it. */

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { tokenIn, Visitor } from '../packages/gateway/src/entrypoint/desk.fixture.ts';
import { connectAsked } from './harness/asked-clients.ts';
import {
  agree,
  atIssuer,
  consent,
  openConsent,
  refreshOf,
  startOAuthWorld,
  type OAuthWorld,
} from './harness/oauth-world.ts';
import { until } from './harness/until.ts';

// Each starts two identity providers, a server and a gateway, which takes long where others are at work.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const LINK = /http:\/\/127\.0\.0\.1:\d+\/connect\/guarded\?link=[\w.~-]+/;

describe('a consent', () => {
  let world: OAuthWorld;
  beforeAll(async () => {
    world = await startOAuthWorld();
    await consent(new Visitor(), 'carol', `${world.gateway.url}/connect/guarded`);
    await until('listed', () => world.gateway.gateway.status().servers.some(({ state }) => state === 'healthy'));
  });
  afterAll(() => world?.close());

  /** The link that a call of this person leads to. */
  async function linkFor(name: string): Promise<string> {
    const client = await connectAsked({
      kind: 'sdk-v2-modern',
      url: world.endpoint,
      key: await world.tokenOf(name),
    });
    const link = LINK.exec((await client.call('whoami', {})).text)?.[0];
    await client.close();
    if (link === undefined) throw new Error('no link');
    return link;
  }

  const refusals = (): string =>
    JSON.stringify(world.gateway.records().filter((record) => JSON.stringify(record).includes('invalid-state')));

  const callback = (): string => `${world.gateway.url}/oauth/callback`;

  test('shows what is agreed to, and is framed by nobody', async () => {
    const page = await openConsent(new Visitor(), 'alice', await linkFor('alice'));
    for (const text of ['The Guarded Server', world.issuer.issuer, world.server.url, 'mcp', 'asked-client', 'alice']) {
      expect(page.text).toContain(text);
    }
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });

  test('is not asked of another person than the link is for', async () => {
    const page = await openConsent(new Visitor(), 'bob', await linkFor('alice'));
    expect([page.status, page.text]).toEqual([403, expect.stringContaining('This link is for somebody else')]);
    expect(page.text).not.toContain('name="token"');
    await expect.poll(() => JSON.stringify(world.gateway.records())).toContain('forbidden');
  });

  test('is not begun by another site, nor with the form of another page', async () => {
    const visitor = new Visitor();
    const page = await openConsent(visitor, 'alice', await linkFor('alice'));
    const link = /name="link" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
    const url = `${world.gateway.url}/connect/guarded`;
    const fields = { token: tokenIn(page), link, verdict: 'connect' };
    expect((await visitor.post(url, fields, { origin: 'https://evil.example' })).status).toBe(403);
    const bare = await visitor.get(url);
    expect((await visitor.post(url, { ...fields, token: tokenIn(bare) })).status).toBe(403);
    expect((await visitor.post(url, { ...fields, token: '' })).status).toBe(403);
  });

  test('is nothing when the person cancels, and nothing when they say no at the issuer', async () => {
    const visitor = new Visitor();
    const page = await openConsent(visitor, 'alice', await linkFor('alice'));
    expect((await agree(visitor, page, 'cancel')).text).toContain('Nothing was connected');
    const back = await atIssuer(refreshOf(await agree(visitor, page)), 'alice', 'deny');
    expect(back.searchParams.get('error')).toBe('access_denied');
    expect((await visitor.get(back.href)).text).toContain('You did not consent');
  });

  test('takes a link once, and an answer once', async () => {
    const visitor = new Visitor();
    const link = await linkFor('bob');
    const page = await openConsent(visitor, 'bob', link);
    const back = await atIssuer(refreshOf(await agree(visitor, page)), 'bob');
    expect((await agree(visitor, page)).text).toContain('used already');
    expect((await visitor.get(link)).text).toContain('used already');
    expect((await visitor.get(back.href)).text).toContain('Connected');
    const again = await visitor.get(back.href);
    expect([again.status, again.text]).toEqual([400, expect.stringContaining('This answer cannot be used')]);
    await expect.poll(refusals).toContain('invalid-state');
  });

  test('is not finished in another browser, by another person, for another state, or with the word of another issuer', async () => {
    const begun = async (visitor: Visitor) => {
      const page = await openConsent(visitor, 'alice', `${world.gateway.url}/connect/guarded`);
      return atIssuer(refreshOf(await agree(visitor, page)), 'alice');
    };
    const wrong = async (visitor: Visitor, url: URL): Promise<void> => {
      const seen = await visitor.get(url.href);
      expect([seen.status, seen.text]).toEqual([400, expect.stringContaining('This answer cannot be used')]);
    };
    // Another browser has no cookie of it; an attacker's answer has a state that this one never began.
    await wrong(new Visitor(), await begun(new Visitor()));
    const [own, other] = [new Visitor(), new Visitor()];
    const [mine, theirs] = [await begun(own), await begun(other)];
    await wrong(own, theirs);
    mine.searchParams.set('iss', 'https://evil.example');
    const seen = await own.get(mine.href);
    expect(seen.status).toBeGreaterThanOrEqual(400);
    expect(seen.text).not.toContain('Connected');
    // The person at the browser has changed.
    const shared = new Visitor();
    const back = await begun(shared);
    for (const name of shared.cookies.keys()) if (!name.includes('sallyport-connect-')) shared.cookies.delete(name);
    await shared.logIn('bob', `${world.gateway.url}/approvals`);
    await wrong(shared, back);
    await wrong(new Visitor(), new URL(`${callback()}?code=x&state=short`));
  });

  test('leaves no token, code or verifier in log and record', async () => {
    const visitor = new Visitor();
    const page = await openConsent(visitor, 'alice', `${world.gateway.url}/connect/guarded`);
    const back = await atIssuer(refreshOf(await agree(visitor, page)), 'alice');
    expect((await visitor.get(back.href)).text).toContain('Connected');
    const client = await connectAsked({ kind: 'sdk-v1', url: world.endpoint, key: await world.tokenOf('alice') });
    expect((await client.call('whoami', {})).text).toContain('alice');
    await client.close();
    const written = JSON.stringify([world.gateway.records(), world.gateway.log]);
    const code = back.searchParams.get('code') ?? 'none';
    const tokens = world.server.seen.map((header) => header.slice('Bearer '.length));
    expect(tokens.length).toBeGreaterThan(0);
    for (const secret of [code, ...new Set(tokens)]) expect(written).not.toContain(secret);
    expect(written).toContain('credentials/obtain');
  });

  test('is widened where a tool needs more, and is not asked for a second time', async () => {
    await consent(new Visitor(), 'alice', `${world.gateway.url}/connect/guarded`);
    const going: Promise<unknown>[] = [];
    const client = await connectAsked({
      kind: 'sdk-v2-modern',
      url: world.endpoint,
      key: await world.tokenOf('alice'),
      person: ({ url = '' }) => {
        going.push(consent(new Visitor(), 'alice', url));
        return { action: 'accept' };
      },
    });
    const answer = await client.call('wide', {});
    expect(answer).toMatchObject({ isError: false, text: expect.stringContaining('mcp:write') });
    await Promise.all(going);
    expect((await client.call('wide', {})).text).toContain('mcp:write');
    expect((await client.call('whoami', {})).text).toContain('alice');
    expect(client.questions).toHaveLength(1);
    await client.close();
  });
});

describe('without a log-in for browsers', () => {
  test('the page and the call say what the operator has to set', async () => {
    const world = await startOAuthWorld({ login: false });
    try {
      const page = await new Visitor().get(`${world.gateway.url}/connect/guarded`);
      expect([page.status, page.text]).toEqual([503, expect.stringContaining('login:')]);
    } finally {
      await world.close();
    }
  });
});

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function listening(answer: (origin: string) => RequestListener): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', answer(origin));
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return origin;
}

const json =
  (document: (origin: string) => unknown, status = 200) =>
  (origin: string): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document(origin)));
  };

const metadata = (origin: string) => ({
  issuer: origin,
  authorization_endpoint: `${origin}/auth`,
  token_endpoint: `${origin}/token`,
  code_challenge_methods_supported: ['S256'],
});

/** What an authorization server of another kind does, and what the log says of it. */
const LIARS: readonly [string, (origin: string) => RequestListener, RegExp][] = [
  [
    'names another issuer',
    json((origin) => ({ ...metadata(origin), issuer: 'https://other.example' })),
    /speaks for the issuer/,
  ],
  [
    'says nothing of PKCE',
    json((origin) => ({ ...metadata(origin), code_challenge_methods_supported: undefined })),
    /PKCE/,
  ],
  [
    'leads to a private address for tokens',
    json((origin) => ({ ...metadata(origin), token_endpoint: 'https://10.0.0.1/token' })),
    /token_endpoint leads where it must not/,
  ],
  [
    'leads to the address of cloud metadata for people',
    json((origin) => ({ ...metadata(origin), authorization_endpoint: 'http://169.254.169.254/latest' })),
    /authorization_endpoint leads where it must not/,
  ],
  ['registers nobody', json(metadata), /set auth\.clientId/],
  ['names no token endpoint', json((origin) => ({ ...metadata(origin), token_endpoint: undefined })), /token_endpoint/],
  [
    'redirects to a private address',
    () => (_request, response) => void response.writeHead(302, { location: 'http://10.0.0.1/' }).end(),
    /status 302/,
  ],
  ['answers with something that is no JSON', () => (_request, response) => void response.end('<html>'), /not JSON/],
  ['answers with a list', json(() => []), /no object/],
  [
    'answers without end',
    () => (_request, response) => void response.end('['.repeat(1_000_000)),
    /more than 262144 bytes/,
  ],
  ['never answers', () => () => undefined, /did not answer within|not found out in time/],
];

describe('an authorization server that', () => {
  test.each(LIARS)('%s is not used, and the person is told so', async (_, answer, said) => {
    const issuer = await listening(answer);
    const world = await startOAuthWorld({ issuer, auth: `, trustedOrigins: ["${issuer}"]` });
    cleanups.push(() => world.close());
    const visitor = new Visitor();
    const page = await visitor.logIn('alice', `${world.gateway.url}/connect/guarded`);
    // What can be agreed to is shown before anything is registered.
    const shown = page.text.includes('name="token"') ? await agree(visitor, page) : page;
    expect([403, 502, 503]).toContain(shown.status);
    expect(JSON.stringify(world.gateway.log)).toMatch(said);
  });

  test('stands at a private address that nobody named is not used', async () => {
    const issuer = await listening(json(metadata));
    const world = await startOAuthWorld({ issuer, auth: '' });
    cleanups.push(() => world.close());
    const page = await new Visitor().logIn('alice', `${world.gateway.url}/connect/guarded`);
    expect(page.status).toBe(502);
    expect(JSON.stringify(world.gateway.log)).toMatch(/leads where it must not/);
  });

  test('is named by metadata of another resource is not used', async () => {
    const world = await startOAuthWorld({
      metadata: () => ({ resource: 'https://other.example/mcp', authorization_servers: [] }),
    });
    cleanups.push(() => world.close());
    const page = await new Visitor().logIn('alice', `${world.gateway.url}/connect/guarded`);
    expect(page.status).toBe(502);
    expect(JSON.stringify(world.gateway.log)).toMatch(/speaks for another resource/);
  });
});
