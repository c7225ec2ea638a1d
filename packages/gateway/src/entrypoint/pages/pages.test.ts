/** The pages over HTTP, with the identity provider of the demo: who sees what, who may decide, and what a page never does. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { CALLER, DBA } from '../../authz/approvals.fixture.ts';
import type { Approval } from '../../authz/approval.ts';
import { principalKey } from '../../model/principal.ts';
import { startDesk, tokenIn, Visitor, type Desk, type Seen } from '../desk.fixture.ts';

let desk: Desk;

beforeAll(async () => {
  desk = await startDesk();
});

afterAll(() => desk?.close());

let approval: Approval;

beforeEach(() => {
  desk.approvals.broken = false;
  desk.clock.nowMs = Date.now();
  approval = desk.approvals.add();
});

const page = (id = approval.id): string => `${desk.url}/approvals/${id}`;

async function visitorAs(name: string, url = page()): Promise<[Visitor, Seen]> {
  const visitor = new Visitor();
  return [visitor, await visitor.logIn(name, url)];
}

const statusOf = (): string | undefined => desk.approvals.kept.get(approval.id)?.status;

describe('a log-in', () => {
  test('leads through the identity provider to the page that was asked for', async () => {
    const [, seen] = await visitorAs('carol');
    expect(seen).toMatchObject({ status: 200, url: page() });
    expect(seen.text).toContain('alice asks to call <code>db/drop_table</code>');
    expect(seen.text).toContain('Logged in as </span><b>carol</b>');
    expect(seen.text).toContain('Changes to production tables need a database administrator.');
  });

  test('asks with PKCE, a state and a nonce, for our own callback whatever Host says', async () => {
    const visitor = new Visitor();
    const seen = await visitor.ask(`${desk.url}/login?return=/approvals`);
    const asked = new URL(seen.headers.get('location') ?? '');
    expect(asked.origin).toBe(desk.provider.issuer);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: 'code',
      redirect_uri: `${desk.url}/login/callback`,
      scope: 'openid profile groups',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/u),
      state: expect.stringMatching(/^[\w-]{20,}$/u),
      nonce: expect.stringMatching(/^[\w-]{20,}$/u),
    });
    expect(seen.headers.getSetCookie()[0]).toMatch(
      /^sallyport-login=[^;]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/u,
    );
  });

  test.each([
    ['https://evil.example/', '/approvals'],
    ['//evil.example/approvals', '/approvals'],
    ['/\\evil.example', '/approvals'],
    ['/approvals/../../evil', '/approvals'],
    ['/approvals?next=//evil.example', '/approvals'],
    ['/logout', '/approvals'],
    ['javascript:alert(1)', '/approvals'],
    ['/approvals/approval-1', '/approvals/approval-1'],
  ])('returns from %s to %s: never to another site', async (asked, expected) => {
    const visitor = new Visitor();
    const seen = await visitor.logIn('carol', `${desk.url}/login?return=${encodeURIComponent(asked)}`);
    expect(seen.url).toBe(desk.url + expected);
  });

  test('comes back once, in the browser that began it, and within ten minutes', async () => {
    const visitor = new Visitor();
    let callback = '';
    const ask = visitor.ask.bind(visitor);
    visitor.ask = (url, init) => {
      if (url.includes('/login/callback')) callback = url;
      return ask(url, init);
    };
    const begun = new Map<string, string>();
    const watched = visitor.ask;
    visitor.ask = async (url, init) => {
      const seen = await watched(url, init);
      if (url.includes('/login?')) for (const [name, value] of visitor.cookies) begun.set(name, value);
      return seen;
    };
    await visitor.logIn('carol', page());
    const replay = new Visitor();
    for (const [name, value] of begun) replay.cookies.set(name, value);
    const again = await replay.get(callback);
    expect([again.status, again.url]).toEqual([400, callback]);
    expect(again.text).toContain('This log-in cannot be used');

    const stranger = await new Visitor().get(callback);
    expect([stranger.status, stranger.text]).toEqual([400, again.text]);

    const slow = new Visitor();
    const form = await slow.get(page());
    desk.clock.nowMs += 10 * 60_000 + 1;
    const action = /action="([^"]*\/login)"/u.exec(form.text)?.[1] ?? '';
    const late = await slow.post(new URL(action, form.url).href, { name: 'carol', password: 'carol' });
    expect(late.status).toBe(400);
  });

  test('that answers for another state, or another issuer, opens nothing', async () => {
    for (const change of [
      (url: URL) => url.searchParams.set('state', 'another'),
      (url: URL) => url.searchParams.set('iss', 'https://evil.example'),
      (url: URL) => url.searchParams.delete('iss'),
      (url: URL) => url.searchParams.set('code', 'guessed'),
    ]) {
      const visitor = new Visitor();
      const ask = visitor.ask.bind(visitor);
      visitor.ask = (url, init) => {
        const changed = new URL(url);
        if (changed.pathname === '/login/callback') change(changed);
        return ask(changed.href, init);
      };
      const seen = await visitor.logIn('carol', page());
      expect(seen.status).toBe(400);
      expect([...visitor.cookies.keys()].some((name) => name.includes('sallyport-session'))).toBe(false);
    }
  });

  test('that was broken off says so', async () => {
    const visitor = new Visitor();
    const form = await visitor.get(page());
    const action = /action="([^"]*\/abort)"/u.exec(form.text)?.[1] ?? '';
    const seen = await visitor.post(new URL(action, form.url).href, {});
    expect(seen.status).toBe(403);
    expect(seen.text).toContain('You did not log in');
  });

  test('is good for fifteen minutes, and then has to be repeated', async () => {
    const [visitor] = await visitorAs('carol');
    desk.clock.nowMs += 15 * 60_000;
    const seen = await visitor.ask(page());
    expect([seen.status, seen.headers.get('location')]).toEqual([
      303,
      `/login?return=${encodeURIComponent(`/approvals/${approval.id}`)}`,
    ]);
  });

  test('ends with the log-out, for whoever kept its cookie as well', async () => {
    const [visitor] = await visitorAs('carol');
    const kept = new Visitor();
    for (const [name, value] of visitor.cookies) if (name.startsWith(desk.url)) kept.cookies.set(name, value);
    const left = await visitor.post(`${desk.url}/logout`, {});
    expect(desk.events.slice(-3)).toMatchObject([
      { kind: 'authentication', activity: 'log-in', principal: { name: 'carol' } },
      { kind: 'session', change: 'opened', of: 'browser' },
      { kind: 'session', change: 'closed', why: 'logged out' },
    ]);
    expect([left.url, left.status]).toEqual([`${desk.url}/logged-out`, 200]);
    expect((await kept.ask(page())).status).toBe(303);
  });

  test('cannot be ended from another site', async () => {
    const [visitor] = await visitorAs('carol');
    const seen = await visitor.post(`${desk.url}/logout`, {}, { origin: 'http://evil.example' });
    expect(seen.status).toBe(403);
    expect(desk.events.at(-1)).toMatchObject({ kind: 'refused-early', code: 'origin-refused' });
    expect((await visitor.ask(page())).status).toBe(200);
  });

  test('under another name of this machine begins under the name that it comes back to', async () => {
    const port = new URL(desk.url).port;
    const seen = await new Visitor().ask(`http://localhost:${port}/approvals`);
    expect([seen.status, seen.headers.get('location')]).toEqual([303, `${desk.url}/approvals`]);
  });
});

describe('a decision', () => {
  test.each([
    ['approved', 'alice can make this call now, once'],
    ['declined', 'The call was not made'],
  ])('%s is taken from the form, and the page says what happens next', async (verdict, words) => {
    const [visitor, seen] = await visitorAs('carol');
    const next = await visitor.post(page(), { verdict, token: tokenIn(seen) });
    expect([next.status, next.url]).toEqual([200, page()]);
    expect(next.text).toContain(words);
    expect(next.text).toMatch(
      new RegExp(`${verdict === 'approved' ? 'Approved' : 'Declined'} by <b>carol</b> in the browser`, 'u'),
    );
    expect(next.text).not.toContain('<form method="post" action="/approvals');
    expect(statusOf()).toBe(verdict);
  });

  test('is recorded with the approval and the verdict, durably before it is made', async () => {
    const [visitor, seen] = await visitorAs('carol');
    const from = desk.world.events.length;
    await visitor.post(page(), { verdict: 'approved', token: tokenIn(seen) });
    const [decided] = desk.world.events.slice(from);
    expect(decided?.request.operation).toEqual({
      kind: 'administer',
      act: { name: 'decideApproval', id: approval.id, verdict: 'approved' },
    });
    expect([decided?.outcome, decided?.intentSequence, decided?.principal?.name]).toEqual(['ok', 7, 'carol']);
    expect(decided?.decision?.grounds.policies).toEqual(['builtin.decide-approval']);
  });

  test('needs the token of this session and this approval, and a page of ours', async () => {
    const [visitor, seen] = await visitorAs('carol');
    const token = tokenIn(seen);
    const other = desk.approvals.add();
    const [, ofOther] = [0, await visitor.ask(page(other.id))];
    const [, ofAnotherSession] = await visitorAs('carol');
    const [, ofBob] = await visitorAs('alice', `${desk.url}/approvals`);
    const cases: readonly [string, Record<string, string>, Record<string, string>][] = [
      ['no token', { verdict: 'approved' }, {}],
      ['an empty token', { verdict: 'approved', token: '' }, {}],
      ['the token of another approval', { verdict: 'approved', token: tokenIn(ofOther) }, {}],
      ['the token of another session', { verdict: 'approved', token: tokenIn(ofAnotherSession) }, {}],
      [
        'a bit that was flipped',
        { verdict: 'approved', token: `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}` },
        {},
      ],
      ['another site', { verdict: 'approved', token }, { origin: 'http://evil.example' }],
      ['a sandboxed page', { verdict: 'approved', token }, { origin: 'null' }],
      ['a page of the same site', { verdict: 'approved', token }, { 'sec-fetch-site': 'same-site' }],
      ['no verdict', { token }, {}],
      ['another verdict', { verdict: 'maybe', token }, {}],
    ];
    for (const [what, fields, headers] of cases) {
      const before = desk.events.length;
      const refused = await visitor.post(page(), fields, headers);
      expect(refused.status, what).toBe(403);
      expect(desk.events.slice(before), what).toMatchObject([{ kind: 'refused-early', stage: 'door' }]);
      expect(statusOf(), what).toBe('pending');
    }
    expect(tokenIn(ofBob)).toBe('');
    // No Origin at all: no browser posts a form without one.
    const without = await visitor.ask(page(), {
      method: 'POST',
      body: new URLSearchParams({ verdict: 'approved', token }),
    });
    expect(without.status).toBe(403);
    expect((await visitor.post(page(), { verdict: 'approved', token })).status).toBe(200);
  });

  test('is refused to the cookie of somebody else, with the same words as for what does not exist', async () => {
    const [alice] = await visitorAs('alice', `${desk.url}/approvals`);
    const [bob] = await visitorAs('bob', `${desk.url}/approvals`);
    const mine = desk.approvals.add({ requester: principalKey('default', desk.provider.issuer, 'alice') });
    expect((await alice.ask(page(mine.id))).text).toContain('You asked for this yourself');
    const [hidden, missing] = [await bob.ask(page(mine.id)), await bob.ask(page('never-was'))];
    expect([hidden.status, hidden.text]).toEqual([404, missing.text]);
    expect(missing.status).toBe(404);
    expect(headersOf(hidden)).toEqual(headersOf(missing));
  });

  test('about the own request is for somebody else where four eyes are wanted', async () => {
    const key = principalKey('default', desk.provider.issuer, 'carol');
    const own = desk.approvals.add({
      requester: key,
      requestedBy: { key, name: 'carol', issuer: desk.provider.issuer, subject: 'carol' },
    });
    const [visitor, seen] = await visitorAs('carol', page(own.id));
    expect(seen.text).toContain('You asked for this yourself');
    expect(seen.text).not.toContain('value="approved"');
    const stolen = await visitor.ask(page());
    const tried = await visitor.post(page(own.id), { verdict: 'approved', token: tokenIn(stolen) });
    expect(tried.status).toBe(403);
  });

  test('by the caller themselves is possible in the browser, because they are the same principal there', async () => {
    const key = principalKey('default', desk.provider.issuer, 'alice');
    const own = desk.approvals.add({ requester: key, needs: [CALLER] });
    const [visitor, seen] = await visitorAs('alice', page(own.id));
    const next = await visitor.post(page(own.id), { verdict: 'approved', token: tokenIn(seen) });
    expect(next.text).toContain('You can make');
  });

  test('on what others have to agree to as well says for whom it still waits', async () => {
    const both = desk.approvals.add({
      needs: [DBA, { by: { kind: 'group', group: 'security' }, policy: 'two-teams' }],
    });
    const [visitor, seen] = await visitorAs('carol', page(both.id));
    const next = await visitor.post(page(both.id), { verdict: 'approved', token: tokenIn(seen) });
    expect(next.text).toContain('It still needs the word of group security.');
  });

  test('that comes too late, twice, or after somebody else says so', async () => {
    const [visitor, seen] = await visitorAs('carol');
    const token = tokenIn(seen);
    await visitor.post(page(), { verdict: 'declined', token });
    const twice = await visitor.post(page(), { verdict: 'approved', token });
    expect([twice.status, statusOf()]).toEqual([409, 'declined']);
    expect(twice.text).toContain('It was decided already');

    const short = desk.approvals.add({ expiresAtMs: desk.clock.nowMs + 60_000 });
    const open = await visitor.ask(page(short.id));
    desk.clock.nowMs += 60_000;
    const late = await visitor.post(page(short.id), { verdict: 'approved', token: tokenIn(open) });
    expect(late.text).toContain('It has expired');
    expect((await visitor.ask(page(short.id))).text).toContain('no call was made with it');
  });

  test('after the log-in has ended is kept back, and nobody is sent away from the form', async () => {
    const [visitor, seen] = await visitorAs('carol');
    desk.clock.nowMs += 15 * 60_000;
    const ended = await visitor.post(page(), { verdict: 'approved', token: tokenIn(seen) });
    expect([ended.status, ended.url]).toEqual([401, page()]);
    expect(ended.text).toContain('Your log-in has ended');
  });

  test('that was used shows when', async () => {
    const used = desk.approvals.add({ status: 'used', usedAtMs: Date.UTC(2027, 0, 2, 3, 4) });
    const [, seen] = await visitorAs('carol', page(used.id));
    expect(seen.text).toContain('2027-01-02 03:04 UTC');
  });
});

describe('every page', () => {
  test('loads nothing, runs nothing, is framed by nobody and kept by no cache', async () => {
    const [, seen] = await visitorAs('carol');
    expect(seen.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]{44}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/u,
    );
    expect(seen.headers.get('cache-control')).toBe('no-store');
    expect(seen.headers.get('x-content-type-options')).toBe('nosniff');
    expect(seen.text).not.toMatch(/<script|<link|<img|style="|\son\w+=/iu);
  });

  test('is no page for a host that is not ours', async () => {
    const seen = await new Visitor().ask(`${desk.url}/approvals`, { headers: { origin: 'http://evil.example' } });
    expect(seen.status).toBe(403);
  });

  test('says what is wrong when the store of approvals cannot be reached', async () => {
    const [visitor] = await visitorAs('carol');
    desk.approvals.broken = true;
    for (const url of [page(), `${desk.url}/approvals`]) {
      const seen = await visitor.ask(url);
      expect([seen.status, seen.text.includes('Their store does not answer')]).toEqual([503, true]);
    }
  });

  test('is for reading or for its form, and for no other method', async () => {
    for (const [method, path] of [
      ['PUT', '/approvals'],
      ['POST', '/approvals'],
      ['POST', '/login'],
      ['GET', '/logout'],
      ['DELETE', `/approvals/${approval.id}`],
    ] as const) {
      const seen = await new Visitor().ask(`${desk.url}${path}`, { method });
      expect(seen.status, `${method} ${path}`).toBe(405);
      expect(seen.headers.get('content-type')).toBe('application/problem+json');
    }
  });

  test('takes no form of more than a few kilobytes', async () => {
    const [visitor] = await visitorAs('carol');
    const seen = await visitor.post(page(), { verdict: 'approved', token: 'x'.repeat(20_000) });
    expect(seen.status).toBe(413);
  });
});

describe('a browser session', () => {
  test('opens no MCP endpoint', async () => {
    const [visitor] = await visitorAs('carol');
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/list',
    };
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: meta } });
    const seen = await visitor.ask(`${desk.url}/mcp`, { method: 'POST', headers, body });
    expect(seen.status).toBe(401);
  });

  test('counts for nothing when its cookie comes twice', async () => {
    const [visitor] = await visitorAs('carol');
    const value = [...visitor.cookies].find(([name]) => name.includes('sallyport-session'))?.[1] ?? '';
    const cookie = `sallyport-session=${value}; sallyport-session=${value}`;
    expect((await visitor.ask(page(), { headers: { cookie } })).status).toBe(303);
  });
});

const headersOf = ({ headers }: Seen): readonly string[] =>
  [...headers].filter(([name]) => name !== 'date').map(([name, value]) => `${name}: ${value}`);
