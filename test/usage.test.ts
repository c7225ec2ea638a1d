/** Known traffic through a real gateway, and the report of it: over the API, on the command line, for spreadsheets. */

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

type Row = { readonly name: string; readonly invocations: number; readonly resultBytes: number } & Record<
  string,
  unknown
>;
type Report = { readonly month: string; readonly by: string; readonly rows: readonly Row[]; readonly total: Row };

let upstream: MisbehavingServer;
let gateway: TestGateway;
let month: string;
let auditFile: string;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
  gateway = await startTestGateway({
    users: { alice: ['staff'], bob: ['staff'], zoe: ['staff'], ann: ['auditors'], zed: ['auditors'], olga: ['all'] },
    tenants: { zoe: 'acme', zed: 'acme' },
    policies: [
      'permit (principal in Group::"staff", action, resource in Server::"notes");',
      'permit (principal in Group::"acme#staff", action, resource in Server::"notes");',
      'permit (principal in Group::"staff", action, resource in Server::"read-only");',
      'permit (principal in Group::"auditors", action == Action::"readUsage", resource);',
      'permit (principal in Group::"acme#auditors", action == Action::"readUsage", resource);',
      'permit (principal in Group::"all", action in [Action::"readUsage", Action::"readAllTenants"], resource);',
    ].join('\n'),
    yaml: [
      'servers:',
      '  notes:',
      `    url: "${upstream.url}"`,
      '    retries: 0',
      '    tools: { ok: { minutesSaved: 2.5 }, garbage: { minutesSaved: 100 } }',
      `  read-only: { url: "${upstream.url}", tools: { ok: { readOnly: true } } }`,
    ].join('\n'),
  });
  auditFile = path.join(gateway.directory, 'audit.jsonl');
  month = new Date().toISOString().slice(0, 7);
  // Lists, pings and refusals are no invocations; neither is what is no tool.
  await post('alice', 'notes', modern('tools/list'));
  await post('alice', 'notes', modern('ping'));
  for (const who of ['alice', 'alice', 'bob', 'zoe']) await call(who, 'notes', 'ok', { text: 'hello' });
  await call('alice', 'read-only', 'ok', { text: 'hello' });
  await call('bob', 'notes', 'garbage');
  await call('alice', 'notes', 'ok', { text: 'longer than the twenty that its schema allows' });
  await call('bob', 'notes', 'nothing');
  // On disk before the answer left, or a moment after: known to be whole when the last of them is.
  await until('the record of all calls', () => outcomes() >= 8);
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const outcomes = (): number =>
  gateway
    .records()
    .filter(
      (one) => JSON.stringify(one).includes('"operation":"tools/call"') && !JSON.stringify(one).includes('"intent"'),
    ).length;

function post(who: string, server: string, request: ReturnType<typeof modern>): Promise<HttpAnswer> {
  const headers = { ...request.headers, ...bearer(gateway.keys[who] ?? '') };
  return send(`${gateway.url}/servers/${server}/mcp`, { ...request, headers });
}

const call = (who: string, server: string, name: string, args: Record<string, unknown> = {}): Promise<HttpAnswer> =>
  post(who, server, modern('tools/call', { name, arguments: args }));

async function report(query: string, who: string): Promise<Report> {
  const answer = await send(`${gateway.url}/api/v1/usage?month=${month}${query}`, {
    method: 'GET',
    headers: bearer(gateway.keys[who] ?? ''),
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return JSON.parse(answer.text) as Report;
}

/** What a record says its result was long. */
const bytesOf = (target: string, tenants: readonly string[] = ['default', 'acme']): number =>
  gateway.records().reduce((sum, one) => {
    const { resources, unmapped, metadata } = one as {
      resources?: readonly { uid: string }[];
      unmapped: { result_bytes?: number };
      metadata: { tenant_uid?: string };
    };
    const counts = resources?.[0]?.uid === target && tenants.includes(metadata.tenant_uid ?? '');
    return sum + (counts ? (unmapped.result_bytes ?? 0) : 0);
  }, 0);

const exactly = (count: number) => ({ count, exact: true });

describe('usage over the API', () => {
  test('is exactly what was called, of the asker’s tenant', async () => {
    const { by, rows, total } = await report('', 'ann');
    expect(by).toBe('server');
    expect(rows).toMatchObject([
      {
        name: 'notes',
        invocations: 4,
        errors: 1,
        errorRate: 0.25,
        refused: 1,
        users: exactly(2),
        clients: exactly(1),
        minutesSaved: 7.5,
        resultBytes: bytesOf('notes/ok', ['default']),
        resultTokens: Math.round(bytesOf('notes/ok', ['default']) / 4.5),
      },
      { name: 'read-only', invocations: 1, errors: 0, refused: 0, users: exactly(1), minutesSaved: 0 },
      { name: '(unknown)', invocations: 0, refused: 1 },
    ]);
    expect(total).toMatchObject({ invocations: 5, errors: 1, refused: 2, users: exactly(2), minutesSaved: 7.5 });
    expect((await report('', 'zed')).total).toMatchObject({ invocations: 1, users: exactly(1), minutesSaved: 2.5 });
  });

  test('is told by tool and by user, and of all tenants to whoever may', async () => {
    const named = ({ rows }: Report) => rows.map(({ name, invocations }) => `${name} ${invocations}`);
    expect(named(await report('&by=tool', 'ann'))).toEqual([
      'notes/ok 3',
      'notes/garbage 1',
      'read-only/ok 1',
      '(unknown) 0',
    ]);
    expect(named(await report('&by=user&tenants=all', 'olga'))).toEqual(['alice 3', 'bob 2', 'zoe (acme) 1']);
  });

  test.each(['month=2026-13', 'month=', 'by=day', `month=2026-11&by=tool&who=x`])('refuses %s', async (query) => {
    const answer = await send(`${gateway.url}/api/v1/usage?${query}`, {
      method: 'GET',
      headers: bearer(gateway.keys['ann'] ?? ''),
    });
    expect(answer.status).toBe(400);
  });

  test('is counted as a metric, too', async () => {
    const metrics = await (await fetch(`${gateway.gateway.operationsUrl ?? ''}/metrics`)).text();
    expect(metrics).toMatch(/^sallyport_minutes_saved_total\{[^}]*server="notes"[^}]*\} 10$/mu);
  });
});

describe('usage on the command line', () => {
  test('is the same, from the files', async () => {
    const { code, out } = await sallyport(['usage', auditFile, '--month', month, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(await report('&tenants=all', 'olga'));
    const ofTenant = await sallyport(['usage', auditFile, '--month', month, '--json', '--tenant', 'acme']);
    expect(JSON.parse(ofTenant.out)).toEqual(await report('', 'zed'));
  });

  test('is a table whose numbers stand below each other', async () => {
    const { out } = await sallyport([
      'usage',
      '--config',
      path.join(gateway.directory, 'sallyport.yaml'),
      '--month',
      month,
    ]);
    const lines = out.split('\n');
    expect(lines[0]).toBe(`Usage in ${month}, months in UTC`);
    expect(lines.find((line) => line.startsWith('notes'))).toMatch(
      /^notes +5 +██████████ +20\.0 % +1 +3 +1 .* 10 min$/u,
    );
    expect(lines.find((line) => line.startsWith('total'))).toMatch(/^total +6 /u);
    expect(lines.filter((line) => line.endsWith('min')).length).toBe(2);
  });

  test('is for spreadsheets, with a head, a total and no formula', async () => {
    const { out } = await sallyport(['usage', auditFile, '--month', month, '--csv', '--by', 'tool']);
    const [head = '', ...rows] = out.trimEnd().split('\r\n');
    expect(head).toBe(
      'month,by,name,invocations,errors,error_rate,refused,users,clients,' +
        'p50_ms,p95_ms,p99_ms,result_bytes,result_tokens,minutes_saved',
    );
    const ok = rows.find((row) => row.includes(',notes/ok,'))?.split(',') ?? [];
    expect(ok.slice(0, 9)).toEqual([month, 'tool', 'notes/ok', '4', '0', '0', '1', '3', '1']);
    expect(ok.slice(12)).toEqual([String(bytesOf('notes/ok')), String(Math.round(bytesOf('notes/ok') / 4.5)), '10']);
    expect(rows.at(-1)).toMatch(new RegExp(`^${month},total,total,6,1,0\\.166667,2,3,1,`, 'u'));
  });

  test.each([
    [['--month', 'november'], 2, 'is no month'],
    [['--by', 'day'], 2, 'nothing to count by'],
  ])('says what is wrong with %j', async (args, code, said) => {
    const ended = await sallyport(['usage', auditFile, ...args]);
    expect([ended.code, ended.err]).toEqual([code, expect.stringContaining(said)]);
  });

  test('says so when there is no record', async () => {
    const ended = await sallyport(['usage', path.join(gateway.directory, 'no-such.jsonl')]);
    expect([ended.code, ended.err]).toEqual([1, expect.stringContaining('There is no record in')]);
    expect(readFileSync(auditFile, 'utf8')).not.toBe('');
  });
});
