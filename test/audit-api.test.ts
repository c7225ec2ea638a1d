/** The record over the API: who may read it, whose records they see, and that reading is recorded itself. */

import { request as httpRequest, type IncomingMessage } from 'node:http';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

type Told = { readonly who: string; readonly tenant: string; readonly requestId: string; readonly event: string };
type Item = { readonly told: Told & Record<string, unknown>; readonly record: Record<string, unknown> };
type Page = { readonly records: readonly Item[]; readonly next?: string };

const reading = (who: string, actions: readonly string[]): string =>
  actions.map((name) => `permit (${who}, action == Action::"${name}", resource == Gateway::"sallyport");\n`).join('');

const POLICIES = [
  'permit (principal in Group::"staff", action, resource in Server::"files");\n',
  'permit (principal in Group::"acme#staff", action, resource in Server::"files");\n',
  reading('principal in Group::"auditors"', ['readAudit', 'readUsage', 'readLive']),
  reading('principal in Group::"acme#auditors"', ['readAudit', 'readUsage', 'readLive']),
  reading('principal in Group::"operators"', ['readAudit', 'readUsage', 'readLive', 'readAllTenants']),
  reading('principal in Group::"investigators"', ['readAuditBodies']),
  reading('principal in Group::"half"', ['readAllTenants']),
].join('');

let upstream: MisbehavingServer;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
  gateway = await startTestGateway({
    users: {
      alice: ['staff'],
      ann: ['auditors'],
      zoe: ['staff'],
      zed: ['auditors'],
      olga: ['operators'],
      ivan: ['investigators'],
      hal: ['half'],
    },
    tenants: { zoe: 'acme', zed: 'acme' },
    policies: POLICIES,
    yaml: `servers:\n  files: { url: "${upstream.url}" }`,
  });
  // One refusal after another, so that the records of one call have neighbours.
  await call('alice', 'one');
  await call('zoe', 'two');
  await call('alice', 'three');
  await send(`${gateway.url}/mcp`, {
    ...modern('tools/list'),
    headers: { ...modern('tools/list').headers, ...bearer('wrong') },
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const key = (name: string): string => gateway.keys[name] ?? '';

function call(name: string, text: string): Promise<HttpAnswer> {
  const { headers, body } = modern('tools/call', { name: 'ok', arguments: { text } });
  return send(`${gateway.url}/servers/files/mcp`, { body, headers: { ...headers, ...bearer(key(name)) } });
}

const get = (path: string, name: string): Promise<HttpAnswer> =>
  send(`${gateway.url}/api/v1${path}`, { method: 'GET', headers: bearer(key(name)) });

async function page(path: string, name: string): Promise<Page> {
  const answer = await get(path, name);
  if (answer.status !== 200) throw new Error(answer.text);
  return JSON.parse(answer.text) as Page;
}

/** Records are written a moment after their answer. */
const found = (path: string, name: string, enough: (items: readonly Item[]) => boolean): Promise<readonly Item[]> =>
  until(`${path} for ${name}`, async () => {
    const { records } = await page(path, name);
    return enough(records) && records;
  });

const codeOf = ({ text }: HttpAnswer): unknown => (JSON.parse(text) as { code?: unknown }).code;

describe('the record over the API', () => {
  test('is told to an auditor, the newest first, each record as it was written', async () => {
    const records = await found('/audit/records?tool=files/ok', 'ann', (items) => items.length === 2);
    const times = records.map(({ record }) => record['time'] as number);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect(records[0]?.told).toMatchObject({ who: 'alice', target: 'files/ok', outcome: 'ok', decision: 'allowed' });
    expect(records[0]?.record).toMatchObject({ class_uid: 6003, api: { operation: 'tools/call' } });
    expect(JSON.stringify(records)).not.toContain('three');
  });

  test.each([
    '/audit/records',
    '/audit/records/some-request',
    '/audit/tail',
    '/usage?month=2026-11',
    '/live',
    '/audit/records/x/bodies',
  ])('%s is for nobody without a permit, and for nobody who is not known', async (path) => {
    const refused = await get(path, 'alice');
    expect([refused.status, codeOf(refused)]).toEqual([403, 'forbidden']);
    const unknown = await send(`${gateway.url}/api/v1${path}`, { method: 'GET' });
    expect([unknown.status, codeOf(unknown)]).toEqual([401, 'unauthenticated']);
    expect((await send(`${gateway.url}/api/v1${path}`, { method: 'POST' })).status).toBe(405);
  });

  test('shows no tenant another’s records, whatever is asked', async () => {
    const own = await found('/audit/records', 'zed', (items) => items.some(({ told }) => told.who === 'zoe'));
    expect(new Set(own.map(({ told }) => told.tenant))).toEqual(new Set(['acme']));
    const others = await found('/audit/records', 'ann', (items) => items.length > 2);
    expect(new Set(others.map(({ told }) => told.tenant))).toEqual(new Set(['default']));
    const [zoes] = own.filter(({ told }) => told.who === 'zoe');
    const id = zoes?.told.requestId ?? '';
    expect((await page(`/audit/records/${id}`, 'ann')).records).toEqual([]);
    expect((await page('/audit/records?who=zoe', 'ann')).records).toEqual([]);
    expect((await page('/audit/records?text=acme', 'ann')).records).toEqual([]);
    // The whole story of her first call: how she proved herself, that the call was about to be made, and how it ended.
    const story = (await page(`/audit/records/${id}`, 'zed')).records.map(({ told }) => told.event);
    expect(story).toEqual(['outcome', 'intent', 'authentication']);
  });

  test('shows all tenants, and what belongs to none, to whoever has both permits', async () => {
    const all = await found('/audit/records?tenants=all&limit=500', 'olga', (items) => {
      const tenants = new Set(items.map(({ told }) => told.tenant));
      return ['', 'acme', 'default'].every((tenant) => tenants.has(tenant));
    });
    const events = all.map(({ told }) => `${told.event} ${told['outcome'] as string}`);
    expect(events).toContain('opened ');
    expect(events).toContain('outcome invalid-credential');
    for (const name of ['ann', 'hal']) {
      const refused = await get('/audit/records?tenants=all', name);
      expect([refused.status, codeOf(refused)]).toEqual([403, 'forbidden']);
    }
  });

  test('goes on from a cursor that is of this caller and of this question alone', async () => {
    await found('/audit/records', 'ann', (items) => items.length > 3);
    const first = await page('/audit/records?limit=2&who=*', 'ann');
    const next = encodeURIComponent(first.next ?? '');
    const second = await page(`/audit/records?limit=2&who=*&after=${next}`, 'ann');
    const ids = [...first.records, ...second.records].map(({ record }) => (record['metadata'] as { uid: string }).uid);
    expect(new Set(ids).size).toBe(4);

    const broken = [
      await get(`/audit/records?limit=2&who=alice&after=${next}`, 'ann'),
      await get(`/audit/records?limit=2&who=*&tenants=all&after=${next}`, 'olga'),
      await get(`/audit/records?limit=2&who=*&after=${next}`, 'olga'),
      await get(`/audit/records?limit=2&who=*&after=${next}`, 'zed'),
      await get('/audit/records?limit=2&after=1.5...', 'ann'),
      await get(`/audit/records?limit=2&who=*&after=${next.slice(0, -3)}AAA`, 'ann'),
    ];
    // Somebody else's is refused as everything is that was sealed for somebody else.
    expect(broken.map(({ status }) => status)).toEqual([400, 400, 409, 409, 400, 400]);
  });

  test.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'since=yesterday',
    'decision=maybe',
    'wo=alice',
    'who=',
    'who=a&who=b',
    'tenants=acme',
    'text=too-long',
  ])('refuses %s, instead of telling more than was asked for', async (query) => {
    const long = query.replace('too-long', 'x'.repeat(501));
    const refused = await get(`/audit/records?${long}`, 'ann');
    expect([refused.status, codeOf(refused)]).toEqual([400, 'invalid-params']);
  });

  test('keeps of its readers what they asked', async () => {
    await page('/audit/records?who=alice&outcome=ok', 'ann');
    const read = { event: 'outcome', read: { of: 'audit', query: { who: 'alice', outcome: 'ok' } } };
    const [latest] = await found('/audit/records?who=ann&text=audit/read', 'ann', (items) =>
      items.some(({ record }) => JSON.stringify(record['unmapped']).includes('"outcome":"ok"}')),
    );
    expect(latest?.record).toMatchObject({ api: { operation: 'audit/read' } });
    const asked = gateway.records().filter(({ api }) => (api as { operation?: string })?.operation === 'audit/read');
    expect(asked.map(({ unmapped }) => unmapped)).toContainEqual(expect.objectContaining(read));
  });

  test('has no bodies where none are kept, and the permit for them is another, which is used on the record', async () => {
    const [item] = await found('/audit/records?tool=files/ok', 'ann', (items) => items.length > 0);
    const id = item?.told.requestId ?? '';
    expect((await get(`/audit/records/${id}/bodies`, 'ann')).status).toBe(403);
    const none = await get(`/audit/records/${id}/bodies`, 'ivan');
    expect([none.status, codeOf(none)]).toEqual([404, 'not-found']);
    // Durable before the answer: no waiting.
    const intents = gateway.records().filter(({ unmapped }) => (unmapped as { event: string }).event === 'intent');
    expect(intents.map(({ unmapped }) => unmapped)).toContainEqual(
      expect.objectContaining({ read: { of: 'bodies', request: id } }),
    );
  });
});

type Tail = {
  readonly status: number;
  readonly text: () => string;
  readonly ended: Promise<void>;
  leave(): void;
};

function tail(path: string, name: string): Promise<Tail> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${gateway.url}/api/v1${path}`, { agent: false, headers: bearer(key(name)) });
    request.on('error', reject);
    request.on('response', (response: IncomingMessage) => {
      let text = '';
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('close', () => end());
      response.on('error', () => end());
      resolve({ status: response.statusCode ?? 0, text: () => text, ended, leave: () => void request.destroy() });
    });
    request.end();
  });
}

describe('the record as it grows', () => {
  test('brings a call that is made meanwhile, to whom it is for and by what they asked', async () => {
    const [ann, zed, bobs] = await Promise.all([
      tail('/audit/tail?tool=files/*', 'ann'),
      tail('/audit/tail', 'zed'),
      tail('/audit/tail?who=bob', 'ann'),
    ]);
    await call('alice', 'tailed');
    await until('the call on the tail', () => ann.text().includes('event: record'));
    await call('zoe', 'also');
    await until('the call of the other tenant', () => zed.text().includes('"who":"zoe"'));
    const data = [...ann.text().matchAll(/^data: (.*)$/gmu)].map(([, line]) => JSON.parse(line ?? '') as Item);
    expect(data.map(({ told }) => told.who)).toEqual(['alice']);
    expect(zed.text()).not.toContain('"tenant":"default"');
    expect(bobs.text()).not.toContain('event: record');
    for (const one of [ann, zed, bobs]) one.leave();
    await Promise.all([ann.ended, zed.ended, bobs.ended]);
  });

  test('ends with a word when the gateway stops', async () => {
    const following = await tail('/audit/tail', 'ann');
    expect(following.status).toBe(200);
    const closing = gateway.gateway.close(2_000);
    await following.ended;
    expect(following.text()).toContain('event: end\ndata: {"reason":"draining"}');
    await closing;
  });
});
