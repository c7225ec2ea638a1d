/**
 * What stands above every policy (ceilings, pins, hidden tools) and what policy sees of declared arguments, over HTTP, for
 * clients of both eras.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startRecordingServer, type RecordingServer } from './fixtures/recording-http.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpAnswer, type HttpRequest } from './harness/http.ts';

const text = { type: 'string' };

const TOOLS = [
  {
    name: 'read_file',
    annotations: { readOnlyHint: true },
    inputSchema: {
      type: 'object',
      properties: { root: { ...text, 'x-mcp-header': 'Root' }, path: text },
      required: ['root', 'path'],
      additionalProperties: false,
    },
  },
  // Marked by the server itself, which counts for nothing.
  {
    name: 'write_file',
    annotations: { readOnlyHint: true },
    inputSchema: { type: 'object', properties: { path: text } },
  },
  { name: 'read_secrets', inputSchema: { type: 'object' } },
  { name: 'query', inputSchema: { type: 'object', properties: { sql: text } } },
  { name: 'fetch', inputSchema: { type: 'object', properties: { url: text } } },
  { name: 'misdeclared', inputSchema: { type: 'object', properties: {} } },
];

const ERAS = ['modern', 'legacy'] as const;

let upstream: RecordingServer;
let gateway: TestGateway;
const sessions = new Map<string, string>();

beforeAll(async () => {
  upstream = await startRecordingServer(TOOLS);
  const tools = [
    '    tools:',
    '      "read_*": { readOnly: true, risk: low }',
    '      read_file: { pins: { root: /srv/data }, arguments: { path: { kind: path, base: /srv/data } } }',
    '      read_secrets: { hidden: true }',
    '      query: { arguments: { sql: { kind: sql, dialect: postgres, defaultSchema: public } } }',
    '      fetch: { arguments: { url: url } }',
    '      misdeclared: { pins: { mode: safe } }',
  ];
  gateway = await startTestGateway({
    users: { alice: ['engineering'] },
    // Everything is permitted: whatever is refused here, no policy refused it, or could allow it.
    policies: [
      'permit (principal, action, resource) unless { resource == Tool::"open/query" };',
      'permit (principal, action, resource == Tool::"open/query") when {',
      '  context.arguments.sql.readOnly && ["public"].containsAll(context.arguments.sql.schemas) };',
    ].join('\n'),
    yaml: [
      'endpoints: { aggregate: { readOnly: true } }',
      'servers:',
      '  open:',
      `    url: "${upstream.url}"`,
      ...tools,
      '  closed:',
      `    url: "${upstream.url}"`,
      '    readOnly: true',
      ...tools,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

beforeEach(() => void upstream.calls.splice(0));

type Called = { readonly era: (typeof ERAS)[number]; readonly path: string; readonly headers?: object };

async function call({ era, path, headers = {} }: Called, name: string, args: object | string): Promise<HttpAnswer> {
  const request = await requestOf(era, path, 'tools/call', { name, arguments: args });
  return post(path, { ...request, headers: { ...request.headers, ...headers } });
}

const post = (path: string, request: HttpRequest): Promise<HttpAnswer> =>
  send(`${gateway.url}${path}`, { ...request, headers: { ...request.headers, ...bearer(gateway.keys.alice ?? '') } });

/** Arguments given as text stand in the body as they are: a library would not write the same key twice. */
async function requestOf(
  era: (typeof ERAS)[number],
  path: string,
  method: string,
  params: Record<string, unknown>,
): Promise<HttpRequest> {
  const written = { ...params, ...(typeof params.arguments === 'string' ? { arguments: 'HERE' } : {}) };
  const request = era === 'modern' ? modern(method, written) : legacy(method, written, await sessionOn(path));
  return { ...request, body: String(request.body).replace('"HERE"', String(params.arguments)) };
}

async function sessionOn(path: string): Promise<string> {
  const known = sessions.get(path);
  if (known !== undefined) return known;
  const opened = await post(path, legacy('initialize'));
  const session = String(opened.headers['mcp-session-id']);
  sessions.set(path, session);
  return session;
}

async function listed(era: (typeof ERAS)[number], path: string): Promise<readonly Record<string, unknown>[]> {
  const answer = await post(path, await requestOf(era, path, 'tools/list', {}));
  return (answer.json?.result?.tools ?? []) as Record<string, unknown>[];
}

const namesOn = async (era: (typeof ERAS)[number], path: string): Promise<ReadonlySet<unknown>> =>
  new Set((await listed(era, path)).map(({ name }) => name));

const OPEN = '/servers/open/mcp';
const CLOSED = '/servers/closed/mcp';

describe.each(ERAS)('a %s client', (era) => {
  test('is shown what no ceiling and no hiding keeps from it', async () => {
    expect(await namesOn(era, OPEN)).toEqual(new Set(['fetch', 'query', 'read_file', 'write_file']));
    expect(await namesOn(era, CLOSED)).toEqual(new Set(['read_file']));
    expect(await namesOn(era, '/mcp')).toEqual(new Set(['closed_read_file', 'open_read_file']));
  });

  test.each([
    [CLOSED, 'write_file'],
    [CLOSED, 'query'],
    ['/mcp', 'open_write_file'],
    ['/mcp', 'closed_write_file'],
    [OPEN, 'read_secrets'],
    ['/mcp', 'open_read_secrets'],
    [OPEN, 'misdeclared'],
  ])('cannot call on %s, as if it did not exist: %s', async (path, name) => {
    const extra = { 'x-sallyport-read-only': 'false', 'x-read-only': '0', 'mcp-param-root': '/' };
    for (const headers of [{}, extra]) {
      const answer = await call({ era, path, headers }, name, {});
      expect(answer.json?.error?.message).toContain(`Unknown tool ${JSON.stringify(name)}.`);
      const nonsense = await call({ era, path, headers }, 'no_such_tool_at_all', {});
      expect(answer.json?.error?.code).toBe(nonsense.json?.error?.code);
    }
    expect(upstream.calls).toEqual([]);
  });

  test('does not see a pinned argument, and its call has it, in the header too', async () => {
    const tool = (await listed(era, OPEN)).find(({ name }) => name === 'read_file');
    expect(tool?.inputSchema).toEqual({
      type: 'object',
      properties: { path: text },
      required: ['path'],
      additionalProperties: false,
    });
    const answer = await call({ era, path: OPEN, headers: { 'mcp-param-root': '/etc' } }, 'read_file', {
      path: 'a.txt',
    });
    expect(answer.json?.result, answer.text).toBeDefined();
    expect(upstream.calls).toMatchObject([
      {
        name: 'read_file',
        arguments: { root: '/srv/data', path: 'a.txt' },
        headers: { 'mcp-param-root': '/srv/data' },
      },
    ]);
  });

  test.each([
    '{"path": "a", "root": "/etc"}',
    '{"path": "a", "root": "/srv/data"}',
    '{"path": "a", "Root": "/etc"}',
    '{"path": "a", "\\u0072oot": "/etc"}',
    '{"path": "a", "root": "/srv/data", "root": "/etc"}',
  ])('cannot send a pinned argument: %s', async (args) => {
    const answer = await call({ era, path: OPEN }, 'read_file', args);
    expect(answer.json?.error ?? answer.json?.result?.isError, answer.text).toBeTruthy();
    expect(upstream.calls).toEqual([]);
  });

  test('cannot put a second set of arguments beside the first', async () => {
    const params = { name: 'read_file', arguments: { path: 'a' }, Arguments: { root: '/etc', path: '/etc/passwd' } };
    const answer = await post(OPEN, await requestOf(era, OPEN, 'tools/call', params));
    expect(answer.json?.error?.message).toContain('only in case');
    expect(upstream.calls).toEqual([]);
  });

  test.each(['../etc', '/srv/data/%2e%2e/x', 'a//b', ''])('is told why a path cannot be judged: %j', async (path) => {
    const answer = await call({ era, path: OPEN }, 'read_file', { path });
    expect(answer.json?.error?.message).toContain('The argument "path" (path) cannot be judged');
    expect(upstream.calls).toEqual([]);
  });

  test('sends SQL that policy understands, as it was written', async () => {
    const sql = 'select /* public */ * from orders -- all';
    expect((await call({ era, path: OPEN }, 'query', { sql })).json?.result).toBeDefined();
    expect(upstream.calls).toMatchObject([{ arguments: { sql } }]);
    for (const denied of ['select * from secret.keys', 'delete from orders', 'select 1; drop table x', 'selec']) {
      expect((await call({ era, path: OPEN }, 'query', { sql: denied })).json?.error, denied).toBeDefined();
    }
    expect(upstream.calls).toHaveLength(1);
  });

  test('is denied a URL that could be read in two ways though every policy would let it', async () => {
    expect((await call({ era, path: OPEN }, 'fetch', { url: 'https://example.com/' })).json?.result).toBeDefined();
    const answer = await call({ era, path: OPEN }, 'fetch', { url: 'https://example.com\\@evil.example/' });
    expect(answer.json?.error?.message).toContain('"url" (url) cannot be judged');
    expect(answer.text).not.toContain('evil');
    expect(upstream.calls).toHaveLength(1);
  });
});

test('the operator is told what is withheld and what was misdeclared', () => {
  const { withheld, problems } = gateway.gateway.status();
  expect(withheld).toContainEqual(expect.objectContaining({ server: 'open', name: 'read_secrets', why: 'hidden' }));
  expect(withheld).toContainEqual(
    expect.objectContaining({ server: 'closed', name: 'query', why: 'server-read-only' }),
  );
  expect(withheld).toContainEqual(
    expect.objectContaining({ server: 'open', name: 'query', why: 'aggregate-read-only' }),
  );
  expect(problems).toContainEqual(expect.objectContaining({ server: 'open', code: 'definition-refused' }));
});

test('the record says why a call was denied, and nothing of its arguments', () => {
  const records = JSON.stringify(gateway.records());
  expect(records).toContain('cannot be judged');
  expect(records).not.toContain('secret.keys');
  expect(records).not.toContain('evil.example');
});
