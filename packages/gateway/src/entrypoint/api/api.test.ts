/** The API over HTTP: AuthZEN's shapes, approvals for programs, problems for everything that does not work. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { CALLER } from '../../authz/approvals.fixture.ts';
import type { Approval } from '../../authz/approval.ts';
import { startDesk, Visitor, type Desk, type Seen } from '../desk.fixture.ts';

let desk: Desk;
let approval: Approval;

beforeAll(async () => {
  desk = await startDesk({ allowedOrigins: ['https://app.example.com'] });
});

afterAll(() => desk?.close());

beforeEach(() => {
  desk.approvals.broken = false;
  approval = desk.approvals.add({ risk: 'medium' });
});

type Call = { readonly as?: 'alice' | 'carol'; readonly body?: unknown; readonly headers?: Record<string, string> };

const call = (method: string, path: string, { as, body, headers = {} }: Call = {}): Promise<Seen> =>
  new Visitor().ask(desk.url + path, {
    method,
    headers: {
      ...(as === undefined ? {} : { authorization: `Bearer ${desk.keys[as]}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });

const json = ({ text }: Seen): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

const EVALUATION = '/access/v1/evaluation';
const EVALUATIONS = '/access/v1/evaluations';
const tool = (id: string, args?: unknown) => ({
  action: { name: 'tools/call' },
  resource: { type: 'tool', id },
  ...(args === undefined ? {} : { context: { arguments: args } }),
});

describe('an evaluation', () => {
  test.each([
    ['what is allowed', tool('db/select', { limit: 1 }), { decision: true }],
    ['in words of policies', { ...tool('db/select', {}), action: { name: 'callTool' } }, { decision: true }],
    ['without arguments', tool('db/select'), { decision: true }],
    ['what needs an approval', tool('db/drop_table', {}), { decision: true, context: { approvals: ['group:dba'] } }],
    [
      'what does not fit the schema',
      tool('db/select', { limit: 'many' }),
      { decision: false, context: { reason: 'invalid-arguments', message: expect.stringContaining('limit') } },
    ],
    [
      'what does not exist',
      tool('db/nothing', {}),
      { decision: false, context: { reason: 'unknown-tool', message: 'Unknown tool.' } },
    ],
  ])('says %s', async (_, body, expected) => {
    const seen = await call('POST', EVALUATION, { as: 'alice', body });
    expect([seen.status, json(seen)]).toEqual([200, expected]);
  });

  test('answers for what is hidden byte for byte as for what is not there', async () => {
    const [hidden, missing] = await Promise.all(
      ['db/hidden', 'db/absent'].map((id) => call('POST', EVALUATION, { as: 'alice', body: tool(id, { x: 1 }) })),
    );
    expect(hidden?.text).toBe(missing?.text);
  });

  test('about somebody else is for whom policy allows it, who is told the policies as well', async () => {
    const body = { subject: { type: 'user', id: 'alice', properties: { groups: [] } }, ...tool('db/drop_table', {}) };
    const refused = await call('POST', EVALUATION, { as: 'alice', body });
    expect(json(refused)).toMatchObject({ status: 403, code: 'forbidden', detail: 'Policy does not allow this.' });
    const told = await call('POST', EVALUATION, { as: 'carol', body });
    expect(json(told)).toEqual({ decision: true, context: { approvals: ['group:dba'], policies: ['drop'] } });
    const oneself = { ...body, subject: { type: 'user', id: 'alice' } };
    expect(json(await call('POST', EVALUATION, { as: 'alice', body: oneself }))).toMatchObject({ decision: true });
  });

  test.each([
    ['no action', { resource: { type: 'tool', id: 'db/select' } }, /action\.name/u],
    ['another action', { ...tool('db/select'), action: { name: 'tools/list' } }, /action\.name/u],
    ['another type', { ...tool('db/select'), resource: { type: 'prompt', id: 'db/x' } }, /resource\.type/u],
    ['no server', tool('select'), /resource\.id/u],
    ['arguments that are a list', tool('db/select', []), /context\.arguments/u],
    ['a subject without a type', { ...tool('db/select'), subject: { id: 'alice' } }, /subject\.type/u],
    ['a subject of four parts', { ...tool('db/select'), subject: { type: 'user', id: 'a#b#c#d' } }, /subject\.id/u],
    [
      'groups that are a text',
      { ...tool('db/select'), subject: { type: 'user', id: 'a', properties: { groups: 'x' } } },
      /groups/u,
    ],
    ['a list', [], /object/u],
    ['no JSON', '{', /JSON/u],
    ['a key twice', '{"action":1,"action":2}', /twice/u],
  ])('is refused with a problem that says why: %s', async (_, body, detail) => {
    const seen = await call('POST', EVALUATION, { as: 'alice', body });
    expect(seen.headers.get('content-type')).toBe('application/problem+json');
    expect(json(seen)).toMatchObject({ status: 400, title: 'Bad Request', detail: expect.stringMatching(detail) });
    expect(seen.status).toBe(400);
  });
});

describe('many evaluations', () => {
  test('share what stands beside them, and one that cannot be read spoils no other', async () => {
    const body = {
      action: { name: 'tools/call' },
      context: { arguments: {} },
      evaluations: [
        { resource: { type: 'tool', id: 'db/select' } },
        { resource: { type: 'tool', id: 'select' } },
        7,
        { resource: { type: 'tool', id: 'db/absent' } },
      ],
    };
    const seen = await call('POST', EVALUATIONS, { as: 'alice', body });
    expect(json(seen)).toMatchObject({
      evaluations: [
        { decision: true },
        { decision: false, context: { reason: 'invalid-request' } },
        { decision: false, context: { reason: 'invalid-request' } },
        { decision: false, context: { reason: 'unknown-tool' } },
      ],
    });
  });

  test.each([
    ['execute_all', 4],
    ['deny_on_first_deny', 2],
    ['permit_on_first_permit', 1],
  ])('end as the client wants it: %s', async (semantic, count) => {
    const evaluations = [tool('db/select', {}), tool('db/absent', {}), tool('db/select', {}), tool('db/absent', {})];
    const body = { evaluations, options: { evaluations_semantic: semantic } };
    expect(json(await call('POST', EVALUATIONS, { as: 'alice', body })).evaluations).toHaveLength(count);
  });

  test('are one where the list is missing', async () => {
    const seen = await call('POST', EVALUATIONS, { as: 'alice', body: tool('db/select', {}) });
    expect(json(seen)).toEqual({ decision: true });
  });

  test('are a thousand at most', async () => {
    const evaluations = Array.from({ length: 1_001 }, () => ({}));
    const seen = await call('POST', EVALUATIONS, { as: 'alice', body: { ...tool('db/select', {}), evaluations } });
    expect([seen.status, json(seen).detail]).toEqual([400, 'At most 1000 evaluations are answered at once.']);
    const most = { ...tool('db/select', {}), evaluations: evaluations.slice(1) };
    expect(json(await call('POST', EVALUATIONS, { as: 'alice', body: most })).evaluations).toHaveLength(1_000);
  });
});

test('a client finds the endpoints by the document of AuthZEN', async () => {
  expect(json(await call('GET', '/.well-known/authzen-configuration'))).toEqual({
    policy_decision_point: desk.url,
    access_evaluation_endpoint: `${desk.url}/access/v1/evaluation`,
    access_evaluations_endpoint: `${desk.url}/access/v1/evaluations`,
  });
});

describe('whoever presents nothing, or nothing good', () => {
  test.each([
    ['nothing', {}, 'unauthenticated'],
    ['an unknown key', { authorization: 'Bearer sp_unknown' }, 'invalid-credential'],
    ['another scheme', { authorization: 'Basic YTpi' }, 'unauthenticated'],
    ['a cookie that is none', { cookie: 'sallyport-session=made-up' }, 'unauthenticated'],
  ])('is told whom to ask for a token: %s', async (_, headers, code) => {
    for (const [method, path] of [
      ['POST', EVALUATION],
      ['GET', '/api/v1/approvals'],
    ] as const) {
      const body = method === 'POST' ? { body: tool('db/select') } : {};
      const seen = await call(method, path, { headers, ...body });
      expect([seen.status, json(seen).code]).toEqual([401, code]);
      expect(seen.headers.get('www-authenticate')).toContain(
        `resource_metadata="${desk.url}/.well-known/oauth-protected-resource"`,
      );
    }
  });
});

describe('approvals', () => {
  test('that wait for a person are listed for that person', async () => {
    const ids = async (as: 'alice' | 'carol') => {
      const { approvals } = json(await call('GET', '/api/v1/approvals', { as })) as { approvals: { id: string }[] };
      return approvals.map(({ id }) => id);
    };
    expect(await ids('carol')).toContain(approval.id);
    expect(await ids('alice')).not.toContain(approval.id);
  });

  test('show exactly what will happen, and no key of a principal', async () => {
    const seen = await call('GET', `/api/v1/approvals/${approval.id}`, { as: 'carol' });
    expect(json(seen)).toMatchObject({
      id: approval.id,
      status: 'pending',
      call: { kind: 'tool', address: 'db/drop_table', arguments: { table: 'invoices' } },
      risk: 'medium',
      requestedBy: { name: 'alice', issuer: 'api-key', subject: 'alice' },
      needs: [{ by: 'group:dba', policy: 'production-writes' }],
      url: `${desk.url}/approvals/${approval.id}`,
    });
    expect(seen.text).not.toContain('7:default');
  });

  test('of others are as unknown as those that never were', async () => {
    const other = desk.approvals.add({ needs: [{ ...CALLER }], requester: 'somebody' });
    const [hidden, missing] = await Promise.all(
      [other.id, 'never-was'].map((id) => call('GET', `/api/v1/approvals/${id}`, { as: 'alice' })),
    );
    const without = (seen: Seen | undefined) => seen?.text.replace(/"requestId":"[^"]*"/u, '');
    expect([hidden?.status, without(hidden)]).toEqual([404, without(missing)]);
  });

  test('are decided with a token, which is recorded as such', async () => {
    const path = `/api/v1/approvals/${approval.id}/decision`;
    const seen = await call('POST', path, { as: 'carol', body: { verdict: 'approved' } });
    expect(json(seen)).toMatchObject({
      status: 'approved',
      needs: [{ decision: { by: { name: 'carol' }, how: 'api', verdict: 'approved' } }],
    });
    const twice = await call('POST', path, { as: 'carol', body: { verdict: 'declined' } });
    expect([twice.status, json(twice).fault]).toEqual([409, 'already-decided']);
  });

  test('of high risk are not, and the answer says where', async () => {
    const high = desk.approvals.add();
    const seen = await call('POST', `/api/v1/approvals/${high.id}/decision`, {
      as: 'carol',
      body: { verdict: 'approved' },
    });
    expect([seen.status, json(seen)]).toMatchObject([
      403,
      { fault: 'needs-browser', approvalUrl: `${desk.url}/approvals/${high.id}` },
    ]);
  });

  test.each([{}, { verdict: 'yes' }, { verdict: true }, { verdict: 'used' }])(
    'take no other verdict: %j',
    async (body) => {
      const seen = await call('POST', `/api/v1/approvals/${approval.id}/decision`, { as: 'carol', body });
      expect(seen.status).toBe(400);
    },
  );

  test('that nobody here was asked about are refused to whoever asked for them', async () => {
    const path = `/api/v1/approvals/${approval.id}/decision`;
    const seen = await call('POST', path, { as: 'alice', body: { verdict: 'approved' } });
    expect([seen.status, json(seen).fault]).toEqual([403, 'own-request']);
  });

  test('cannot be read or decided while their store is away', async () => {
    desk.approvals.broken = true;
    const seen = await call('GET', '/api/v1/approvals', { as: 'carol' });
    expect([seen.status, json(seen).code]).toEqual([503, 'approvals-unavailable']);
  });
});

describe('a browser session on the API', () => {
  test('reads, and changes something from our own origin alone', async () => {
    const visitor = new Visitor();
    await visitor.logIn('carol', `${desk.url}/approvals`);
    const read = await visitor.ask(`${desk.url}/api/v1/approvals/${approval.id}`);
    expect(read.status).toBe(200);
    const decide = (headers: Record<string, string>): Promise<Seen> =>
      visitor.ask(`${desk.url}/api/v1/approvals/${approval.id}/decision`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ verdict: 'approved' }),
      });
    const strangers = [{}, { origin: 'https://app.example.com' }, { origin: desk.url, 'sec-fetch-site': 'cross-site' }];
    for (const headers of strangers) expect((await decide(headers)).status).toBe(403);
    const decided = await decide({ origin: desk.url, 'sec-fetch-site': 'same-origin' });
    expect(json(decided)).toMatchObject({ status: 'approved', needs: [{ decision: { how: 'browser' } }] });
  });

  test('counts for nothing beside a token', async () => {
    const visitor = new Visitor();
    await visitor.logIn('carol', `${desk.url}/approvals`);
    const seen = await visitor.ask(`${desk.url}/api/v1/approvals`, { headers: { authorization: 'Bearer sp_wrong' } });
    expect(seen.status).toBe(401);
  });
});

describe('the door', () => {
  test.each([
    ['PUT', EVALUATION],
    ['GET', EVALUATION],
    ['DELETE', '/api/v1/approvals'],
    ['POST', '/api/v1/approvals/x'],
  ])('offers no %s %s', async (method, path) => {
    const seen = await call(method, path, { as: 'alice' });
    expect([seen.status, seen.headers.get('content-type')]).toEqual([405, 'application/problem+json']);
  });

  test.each([
    '/api/v1/approvals/a/b',
    '/api/v2/approvals',
    '/access/v1',
    '/api/v1/approvals/%2e%2e/x',
    '/approvals/a/decision',
  ])('leads nowhere at %s', async (path) => {
    expect((await call('GET', path, { as: 'alice' })).status).toBe(404);
  });

  test('refuses a page of an origin that is not ours, and a body that is too large', async () => {
    const stranger = await call('POST', EVALUATION, {
      as: 'alice',
      body: {},
      headers: { origin: 'https://evil.example' },
    });
    expect([stranger.status, json(stranger).code]).toEqual([403, 'origin-refused']);
    const large = await call('POST', EVALUATION, { as: 'alice', body: `"${'x'.repeat(4 * 1024 * 1024)}"` });
    expect([large.status, json(large).code]).toEqual([413, 'body-too-large']);
  });

  test('lets a web client of an allowed origin read the answer', async () => {
    const headers = { origin: 'https://app.example.com' };
    const seen = await call('POST', EVALUATION, { as: 'alice', body: tool('db/select'), headers });
    expect(seen.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(seen.headers.get('access-control-allow-credentials')).toBeNull();
    expect(seen.headers.get('cache-control')).toBe('no-store');
  });
});
