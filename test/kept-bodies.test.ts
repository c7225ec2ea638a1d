/** Bodies of calls through a running gateway: kept redacted, sealed and provable, exported, erased, and never silently lost. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, expect, test } from 'vitest';

import { startRecordingServer } from './fixtures/recording-http.ts';
import { scriptPath } from './harness/child.ts';
import { sallyport } from './harness/command-line.ts';
import type { AuditRecord } from './harness/config-file.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send } from './harness/http.ts';
import { until } from './harness/until.ts';

const TALKATIVE = scriptPath('fixtures/talkative-stdio.ts');

const gateways: TestGateway[] = [];
afterAll(async () => {
  for (const gateway of gateways) await gateway.close();
});

async function start(bodies?: string, servers = '') {
  const gateway = await startTestGateway({
    users: { alice: ['staff'], bob: ['staff'], ivan: ['investigators'] },
    policies:
      'permit (principal in Group::"investigators", action == Action::"readAuditBodies", resource == Gateway::"sallyport");',
    ...(bodies === undefined ? {} : { bodies }),
    yaml: `storage: { url: "sqlite:./sallyport.db" }
servers:${servers}
  files:
    command: ["${process.execPath}", "${TALKATIVE}"]
    env: { API_TOKEN: "env:TALKATIVE_TOKEN" }
    allow: [{ group: staff, tools: ["*"] }]
    tools: { "*": { readOnly: true } }
`,
    env: { TALKATIVE_TOKEN: 'tok-4711-abcdef' },
  });
  gateways.push(gateway);
  const file = path.join(gateway.directory, 'sallyport.yaml');
  const call = async (who: string, name: string, args: Record<string, unknown>, server = 'files') => {
    const request = modern('tools/call', { name, arguments: args });
    return send(`${gateway.url}/servers/${server}/mcp`, {
      ...request,
      headers: { ...request.headers, ...bearer(gateway.keys[who] ?? '') },
    });
  };
  const unmapped = (record: AuditRecord) => record['unmapped'] as Record<string, unknown>;
  const said = () => gateway.records().filter((record) => unmapped(record)['event'] === 'bodies');
  const requestOf = (record: AuditRecord): string =>
    String((record['metadata'] as Record<string, unknown>)['correlation_uid']);
  return {
    ...gateway,
    call,
    unmapped,
    requestOf,
    told: (count: number) => until(`${count} words about bodies`, () => (said().length >= count ? said() : undefined)),
    audit: (...args: readonly string[]) => sallyport(['audit', ...args, '--config', file]),
    auditFile: path.join(gateway.directory, 'audit.jsonl'),
    database: () =>
      readdirSync(gateway.directory)
        .filter((name) => name.startsWith('sallyport.db'))
        .map((name) => readFileSync(path.join(gateway.directory, name), 'latin1'))
        .join(''),
  };
}

test('a call leaves its redacted bodies, sealed, and the record commits to them', async () => {
  const { call, told, audit, unmapped, requestOf, records, database, url, keys } =
    await start('{ tools: ["files/*"] }');
  const answer = await call('alice', 'echo', { path: 'a.txt', password: 'hunter2', to: 'bob@example.com' });
  expect(answer.text).toContain('hunter2');
  const [record] = await told(1);
  if (record === undefined) throw new Error('no record');
  expect(unmapped(record)).toMatchObject({
    outcome: 'stored',
    commitment: expect.stringMatching(/^sha256-salted:[0-9a-f]{64}$/),
    arguments_body: { cut: false, redactions: expect.arrayContaining(['named', 'email']) },
    result_body: { cut: false, redactions: expect.arrayContaining(['named', 'email']) },
  });
  const outcome = records().find((one) => unmapped(one)['event'] === 'outcome' && requestOf(one) === requestOf(record));
  expect(outcome?.['unmapped']).toMatchObject({ bodies: 'follow' });
  expect(database()).not.toMatch(/hunter2|bob@example|a\.txt/);
  const asked = `${url}/api/v1/audit/records/${requestOf(record)}/bodies`;
  const read = await send(asked, { method: 'GET', headers: bearer(keys['ivan'] ?? '') });
  expect(read.text).toContain('[redacted:named]');
  expect(read.text).not.toMatch(/hunter2|bob@example/);
  expect((await send(asked, { method: 'GET', headers: bearer(keys['bob'] ?? '') })).status).toBe(403);
  const shown = await audit('body', requestOf(record), '--json');
  expect(shown.code).toBe(0);
  const body = JSON.parse(shown.out) as Record<string, unknown>;
  expect(body).toMatchObject({
    proof: 'proved',
    subject: 'alice',
    address: 'files/echo',
    arguments: { path: 'a.txt', password: '[redacted:named]', to: '[redacted:email]' },
    result: { structuredContent: { args: { path: 'a.txt', password: '[redacted:named]' } } },
  });
  expect(shown.out).not.toContain('hunter2');
});

test('a result that streams is kept as far as the bound, and says that it was cut', async () => {
  const upstream = await startRecordingServer(
    [{ name: 'large', inputSchema: { type: 'object' } }],
    'lorem ipsum '.repeat(200_000),
  );
  const web = `
  web: { url: "${upstream.url}", allow: [{ group: staff, tools: ["*"] }] }`;
  const { call, told, audit, unmapped, requestOf } = await start('{ tools: ["web/large"], maxBytes: 2KiB }', web);
  const answer = await call('alice', 'large', { note: 'x' }, 'web');
  expect(answer.text.length).toBeGreaterThan(2_000_000);
  const [record] = await told(1);
  if (record === undefined) throw new Error('no record');
  expect(unmapped(record)).toMatchObject({
    outcome: 'stored',
    arguments_body: { cut: false },
    result_body: { cut: true },
  });
  const shown = await audit('body', requestOf(record));
  expect(shown.out).toContain('lorem ipsum');
  expect(shown.out.length).toBeLessThan(4_096);
  expect(shown.err).toContain('proved');
  await upstream.close();
});

test('nothing is kept of tools that are not named, of parts that are not wanted, and where nothing is configured', async () => {
  const some = await start('{ tools: ["files/echo"], results: false }');
  await some.call('alice', 'tool_error', {});
  await some.call('alice', 'echo', { a: 1 });
  const [record] = await some.told(1);
  if (record === undefined) throw new Error('no record');
  expect(some.unmapped(record)).not.toHaveProperty('result_body');
  expect(await some.told(1)).toHaveLength(1);
  const none = await start();
  await none.call('alice', 'echo', { a: 1 });
  const outcome = await until('the outcome', () =>
    none.records().find((one) => none.unmapped(one)['event'] === 'outcome'),
  );
  expect(outcome['unmapped']).not.toHaveProperty('bodies');
});

test('a body that was changed in the storage, or whose record was, is not proved', async () => {
  const { call, told, audit, requestOf, auditFile } = await start('{ tools: ["*"] }');
  await call('alice', 'echo', { a: 1 });
  const [record] = await told(1);
  const request = requestOf(record ?? {});
  const text = readFileSync(auditFile, 'latin1');
  const changed = path.join(path.dirname(auditFile), 'audit.jsonl');
  writeFileSync(changed, text.replace(/sha256-salted:[0-9a-f]/, 'sha256-salted:z'));
  expect((await audit('body', request)).err).toContain('unproved');
  writeFileSync(changed, text);
  expect((await audit('body', request)).err).toContain('proved: this is what');
  expect((await audit('body', 'no-such-request')).err).toContain('gone');
});

test("a person's records and bodies are exported, their bodies erased, and the chain still verifies", async () => {
  const { call, told, audit, requestOf, unmapped, records, directory, auditFile } =
    await start('{ tools: ["files/*"] }');
  for (const note of ['one', 'two']) await call('alice', 'echo', { note });
  await call('bob', 'echo', { note: 'of bob' });
  const words = await told(3);
  const output = path.join(directory, 'export');
  const exported = await audit('export', '--person', 'alice', '--output', output);
  expect(exported).toMatchObject({ code: 0, err: '' });
  const manifest = JSON.parse(readFileSync(path.join(output, 'manifest.json'), 'utf8')) as Record<string, unknown>;
  expect(manifest).toMatchObject({
    person: { issuer: 'api-key', subject: 'alice', tenant: 'default' },
    bodies: { proved: 2, unproved: 0 },
    newest: { fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  const lines = readFileSync(path.join(output, 'records.jsonl'), 'utf8');
  expect(lines).not.toContain('"bob"');
  expect(lines.trim().split('\n')).toHaveLength(Number(manifest['records']));
  expect(readdirSync(path.join(output, 'bodies'))).toHaveLength(2);
  expect((await audit('export', '--person', 'alice', '--output', output)).err).toContain('not empty');
  expect((await audit('export', '--person', 'nobody', '--output', path.join(directory, 'x'))).code).toBe(1);

  expect((await audit('erase', '--person', 'alice')).err).toContain('--yes');
  const erased = await audit('erase', '--person', 'alice', '--yes');
  expect(erased.out).toContain('2 of files/echo');
  expect(erased.out).toContain('Erased: 2 bodies');
  expect((await audit('erase', '--person', 'alice', '--yes')).out).toContain('No bodies are kept');
  const requests = words.map(requestOf);
  const shown = await Promise.all(requests.map((request) => audit('body', request)));
  expect(shown.map(({ err }) => err.split(':')[0])).toEqual(['gone', 'gone', 'proved']);
  const erasure = await until('the erasure in the record', () =>
    records().find((record) => unmapped(record)['operation'] === 'bodies/erase'),
  );
  expect(JSON.stringify(erasure)).toContain('api-key#alice: 2');
  expect((await sallyport(['audit', 'verify', auditFile])).code).toBe(0);
});

test('salt and body give the commitment to anyone, and nothing less does', async () => {
  const { call, told, audit, unmapped, directory } = await start('{ tools: ["files/*"] }');
  await call('alice', 'echo', { pin: 'yes' });
  const [record] = await told(1);
  await audit('export', '--person', 'alice', '--output', path.join(directory, 'export'));
  const [name = ''] = readdirSync(path.join(directory, 'export', 'bodies'));
  const body = JSON.parse(readFileSync(path.join(directory, 'export', 'bodies', name), 'utf8')) as Record<
    string,
    string
  >;
  const commit = (salt: string) =>
    `sha256-salted:${createHash('sha256')
      .update(Buffer.from(salt, 'hex'))
      .update(body['content'] ?? '')
      .digest('hex')}`;
  expect(commit(body['salt'] ?? '')).toBe(unmapped(record ?? {})['commitment']);
  expect(commit('')).not.toBe(unmapped(record ?? {})['commitment']);
});
