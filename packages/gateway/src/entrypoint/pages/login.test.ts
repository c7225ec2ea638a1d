/** Log-ins that go another way than the plain one: an identity provider that is away, clients with a secret, several issuers. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, test } from 'vitest';

import { createBrowserLogin } from '../../authn/browser-login.ts';
import { browserPrincipal, claimsFor } from '../../authn/browser-principal.ts';
import { principalFromClaims } from '../../authn/claims.ts';
import { startDesk, Visitor, type Desk, type DeskOptions } from '../desk.fixture.ts';
import { cookieOf, cookieRules, setCookie } from './cookies.ts';
import { RecentIds } from './recent-ids.ts';

let desk: Desk | undefined;

async function started(options: DeskOptions): Promise<Desk> {
  desk = await startDesk(options);
  return desk;
}

afterEach(() => desk?.close());

describe('an identity provider', () => {
  test('that is away is said to be, at once, and nobody is logged in', async () => {
    const { url } = await started({ loginWith: { issuer: 'http://127.0.0.1:9' } });
    const seen = await new Visitor().get(`${url}/approvals`);
    expect(seen.status).toBe(503);
    expect(seen.text).toContain('The identity provider cannot be reached');
    expect(seen.text).toContain('href="/login?return=%2Fapprovals"');
    expect(seen.headers.getSetCookie()).toEqual([]);
  });

  test('that fails, or answers for somebody else, is of no more use', async () => {
    for (const answer of [
      { status: 500, body: '{}' },
      { status: 200, body: '{"issuer":"https://other.example"}' },
      { status: 200, body: '<html>' },
    ]) {
      const server = createServer((_, response) => {
        response.writeHead(answer.status, { 'content-type': 'application/json' });
        response.end(answer.body);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { url, close } = await startDesk({ loginWith: { issuer } });
      expect((await new Visitor().get(`${url}/approvals`)).status, answer.body).toBe(503);
      await close();
      server.close();
    }
  });

  test('that goes away between the two ways keeps nobody waiting for nothing', async () => {
    const { url, provider } = await started({});
    const visitor = new Visitor();
    const ask = visitor.ask.bind(visitor);
    visitor.ask = async (asked, init) => {
      if (asked.includes('/login/callback')) await provider.close();
      return ask(asked, init);
    };
    const seen = await visitor.logIn('carol', `${url}/approvals`);
    expect([seen.status, seen.text.includes('cannot be reached')]).toEqual([503, true]);
  });
});

describe('a client with a secret', () => {
  test('proves itself with it', async () => {
    const clientSecret = (): Promise<string> => Promise.resolve('a secret: 100% + more');
    const { url } = await started({
      secret: 'a secret: 100% + more',
      loginWith: { clientId: 'confidential', clientSecret },
    });
    const visitor = new Visitor();
    const form = await visitor.logIn('carol', `${url}/approvals`);
    const action = /action="([^"]*\/consent)"/u.exec(form.text)?.[1];
    const seen = action === undefined ? form : await visitor.post(new URL(action, form.url).href, { answer: 'allow' });
    expect([seen.status, seen.url]).toEqual([200, `${url}/approvals`]);
    expect(seen.text).toContain('carol');
  });

  test('whose secret cannot be read is told nothing of why, and the operator everything', async () => {
    const clientSecret = (): Promise<string> => Promise.reject(new Error('env:LOGIN_SECRET is not set'));
    const { url } = await started({ secret: 'x', loginWith: { clientId: 'confidential', clientSecret } });
    const visitor = new Visitor();
    const form = await visitor.logIn('carol', `${url}/approvals`);
    const action = /action="([^"]*\/consent)"/u.exec(form.text)?.[1] ?? '';
    const seen = action === '' ? form : await visitor.post(new URL(action, form.url).href, { answer: 'allow' });
    expect(seen.status).toBe(503);
    expect(seen.text).not.toContain('LOGIN_SECRET');
  });
});

describe('where nobody can log in', () => {
  test('every page says what the operator has to set', async () => {
    const { url } = await started({ login: false });
    for (const path of ['/approvals', '/approvals/x', '/login', '/login/callback?code=1&state=2']) {
      const seen = await new Visitor().get(url + path);
      expect([seen.status, seen.text.includes('clientId: sallyport')], path).toEqual([503, true]);
    }
  });
});

describe('several issuers', () => {
  test('are chosen from, and the choice leads to that one', async () => {
    const more = [{ issuer: 'http://127.0.0.1:9', clientId: 'x', scopes: [], sessionMs: 60_000 }];
    const { url, provider } = await started({ more });
    const visitor = new Visitor();
    const choice = await visitor.get(`${url}/approvals`);
    expect(choice.text).toContain('Where do you log in?');
    const [first = '', second = ''] = [...choice.text.matchAll(/href="(\/login[^"]*)"/gu)].map(([, path]) => path);
    const asked = await visitor.ask(url + first.replaceAll('&amp;', '&'));
    expect(asked.headers.get('location')).toContain(provider.issuer);
    expect((await visitor.ask(url + second.replaceAll('&amp;', '&'))).status).toBe(503);
    for (const issuer of ['7', '-1', 'x', '']) {
      const seen = await visitor.ask(`${url}/login?return=/approvals&issuer=${issuer}`);
      expect([200, 303]).toContain(seen.status);
    }
  });
});

test('a person with more groups than a cookie holds is told so', async () => {
  const { url } = await started({});
  const seen = await new Visitor().logIn('many', `${url}/approvals`);
  expect([seen.status, seen.text.includes('Too much is known about you')]).toEqual([400, true]);
});

test('a log-in that others could read is refused at the start', () => {
  const options = {
    issuers: [],
    fetch: () => Promise.reject(new Error('not asked')),
    now: Date.now,
    newId: () => '1',
    log: silent,
  };
  expect(() => createBrowserLogin({ ...options, publicUrl: 'http://gateway.example.com' })).toThrow(/https/u);
  expect(() => createBrowserLogin({ ...options, publicUrl: 'https://gateway.example.com' })).not.toThrow();
});

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

describe('who logged in', () => {
  const issuer = {
    issuer: 'https://id.example',
    groupsClaim: 'realm_access.roles',
    tenantClaim: 'org',
    tenant: 'unused',
  };
  const claims = {
    sub: 'u1',
    preferred_username: 'carol',
    realm_access: { roles: ['dba'] },
    org: 'acme',
    exp: 2_000_000_000,
    phone_number: '+49',
  };

  test('is the principal that their access token makes them, but for the credential', () => {
    const session = {
      id: '1',
      issuer: issuer.issuer,
      claims: claimsFor(claims, issuer),
      expiresAtMs: 2_000_000_000_000,
    };
    const [browser, token] = [browserPrincipal(session, issuer), principalFromClaims(claims, issuer)];
    if (!browser.ok || !token.ok) throw new Error('not mapped');
    const { key, tenant, groups, name } = token.value;
    expect(browser.value).toMatchObject({ key, tenant, groups, name, credential: { kind: 'browser' } });
    expect(session.claims).not.toHaveProperty('phone_number');
  });

  test('is nobody without the claim that says the tenant', () => {
    const { org: _, ...without } = claims;
    expect(browserPrincipal({ id: '1', issuer: issuer.issuer, claims: without, expiresAtMs: 1 }, issuer).ok).toBe(
      false,
    );
  });
});

describe('cookies', () => {
  test('are bound to the host over https, and plain only on loopback', () => {
    expect(cookieRules('https://gateway.example.com')).toEqual({ prefix: '__Host-', secure: true });
    expect(setCookie('__Host-x', 'v', 1_500, { prefix: '__Host-', secure: true })).toBe(
      '__Host-x=v; Max-Age=1; Path=/; HttpOnly; SameSite=Lax; Secure',
    );
    expect(cookieRules('http://127.0.0.1:8080')).toEqual({ prefix: '', secure: false });
  });

  test.each([
    [['Cookie', 'a=1; b=2'], '2'],
    [['cookie', 'a=1', 'Cookie', 'b=2'], '2'],
    [['Cookie', 'b=1; b=2'], undefined],
    [['Cookie', 'b=1', 'Cookie', 'b=1'], undefined],
    [['Cookie', 'xb=1'], undefined],
    [['Cookie', 'b'], undefined],
    [['Cookie', 'b=x=y'], 'x=y'],
    [[], undefined],
  ])('are read from the lines as they came: %j', (raw, expected) => {
    expect(cookieOf(raw, 'b')).toBe(expected);
  });
});

test('ids that were used are remembered until they are over, and the oldest goes when there are too many', () => {
  const ids = new RecentIds(2);
  expect([ids.add('a', 10, 0), ids.add('a', 10, 0), ids.add('a', 20, 10)]).toEqual([true, false, true]);
  ids.add('b', 20, 10);
  ids.add('c', 20, 10);
  expect(['a', 'b', 'c'].map((id) => ids.has(id, 10))).toEqual([false, true, true]);
});
