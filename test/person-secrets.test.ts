/** Servers that are called with a secret of each person: over HTTP and stdio, found, missing, rotated and refused. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startGuardedServer, type GuardedServer } from './fixtures/guarded-http.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';

const TOKENS = { lists: 'lists-0a1b2c', alice: 'of-alice-7f3a9c', bob: 'of-bob-51be0d', dave: 'of-dave-99aa01' };
const TALKATIVE = path.join(import.meta.dirname, 'fixtures/talkative-stdio.ts');
const ALLOW = 'allow: [{ anyone: true, tools: ["*"] }]';

let upstream: GuardedServer;
let gateway: TestGateway;

const call = (server: string, who: string, name = 'work'): Promise<HttpAnswer> => {
  const { headers, body } = modern('tools/call', { name, arguments: {} });
  return send(`${gateway.url}/servers/${server}/mcp`, {
    body,
    headers: { ...headers, ...bearer(gateway.keys[who] ?? '') },
  });
};

const keep = (name: string, value: string): void => writeFileSync(path.join(gateway.directory, name), value);
const servedFor = (token: string): number => upstream.served.get(token) ?? 0;

beforeAll(async () => {
  upstream = await startGuardedServer(TOKENS.lists);
  for (const token of Object.values(TOKENS)) upstream.accepts.add(token);
  gateway = await startTestGateway({
    users: { alice: [], bob: [], carol: [], dave: [] },
    tenants: { dave: 'acme' },
    files: {
      lists: TOKENS.lists,
      'of-alice': TOKENS.alice,
      'of-bob': TOKENS.bob,
      'of-dave': TOKENS.dave,
    },
    yaml: [
      'loopBreaker: off',
      'servers:',
      '  crm:',
      `    url: "${upstream.url}"`,
      '    sharing: shared',
      '    auth:',
      '      type: principal',
      '      headers: { Authorization: "Bearer file:./of-{user}" }',
      '      lists: { headers: { Authorization: "Bearer file:./lists" } }',
      `    ${ALLOW}`,
      '  talkative:',
      `    command: ["${process.execPath}", "${TALKATIVE}"]`,
      '    sharing: shared',
      '    auth: { type: principal, env: { API_TOKEN: "file:./of-{user}" } }',
      `    ${ALLOW}`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

describe('a secret of each person', () => {
  test('is what a server is called with for that person, though they share everything else', async () => {
    const answers = await Promise.all(['alice', 'bob', 'alice', 'bob'].map((who) => call('crm', who)));
    for (const { json } of answers) expect(json?.result).toBeDefined();
    expect([servedFor(TOKENS.alice), servedFor(TOKENS.bob), servedFor(TOKENS.lists)]).toEqual([2, 2, 0]);
  });

  test('stands in the environment of a process that is theirs alone', async () => {
    for (const who of ['alice', 'bob', 'alice'] as const) {
      expect((await call('talkative', who, 'tool_error')).text).toContain(`API_TOKEN=${TOKENS[who]}`);
    }
  });

  test('that is missing refuses its person alone, with the place, however often they try', async () => {
    for (let tries = 0; tries < 12; tries++) {
      const { text } = await call('crm', 'carol');
      expect(text).toMatch(/secret of your own.*of-carol does not exist/);
    }
    expect((await call('crm', 'alice')).json?.result).toBeDefined();
    expect(gateway.gateway.status().servers.find(({ id }) => id === 'crm')).toMatchObject({ state: 'healthy' });
  });

  test('is not found for somebody of the same name in another tenant', async () => {
    expect((await call('crm', 'dave')).text).not.toContain('"done"');
    expect(servedFor(TOKENS.dave)).toBe(0);
  });

  test('is read again when the server refuses it, and the call is made after all', async () => {
    upstream.accepts.delete(TOKENS.alice);
    upstream.accepts.add('of-alice-second');
    keep('of-alice', 'of-alice-second');
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('crm', 'alice')));
    expect(answers.filter(({ json }) => json?.result === undefined)).toEqual([]);
    expect(servedFor('of-alice-second')).toBe(10);
    expect((await call('crm', 'bob')).json?.result).toBeDefined();
  });

  test('is listed with its person, recorded as its kind, and written nowhere', async () => {
    const { out } = await sallyport(['credentials', 'list', '--url', gateway.gateway.operationsUrl ?? '']);
    expect(out).toMatch(/^alice +crm +principal +good/mu);
    expect(out).toMatch(/^carol +crm +principal +missing/mu);
    const audit = path.join(gateway.directory, 'audit.jsonl');
    const written = [out, JSON.stringify(gateway.log), existsSync(audit) ? readFileSync(audit, 'utf8') : ''].join('\n');
    expect(written).toContain('"principal"');
    for (const token of [...Object.values(TOKENS), 'of-alice-second']) expect(written).not.toContain(token);
  });
});
