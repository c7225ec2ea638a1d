/** One call through everything: who, what was decided, what was recorded and measured, and what the server saw. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { verifyFile } from '../packages/gateway/src/audit/verify.ts';
import { startIssuer, type TestIssuer } from './fixtures/issuer.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpAnswer, type HttpRequest } from './harness/http.ts';

type AuditRecord = {
  readonly metadata: { readonly sequence: number; readonly correlation_uid: string };
  readonly actor?: { readonly user?: { readonly name: string }; readonly authorizations?: readonly unknown[] };
  readonly resources?: readonly { readonly uid: string }[];
  readonly unmapped: { readonly event: string; readonly outcome?: string; readonly arguments?: string };
};

let upstream: MisbehavingServer;
let issuer: TestIssuer;
let gateway: TestGateway;

beforeAll(async () => {
  [upstream, issuer] = await Promise.all([startMisbehavingServer(), startIssuer()]);
  gateway = await startTestGateway({
    users: { alice: ['engineering'], bob: ['support'] },
    env: { UPSTREAM_KEY: 'upstream-credential-0123456789' },
    policies:
      'permit (principal in Group::"support", action == Action::"callTool", resource == Tool::"plain/ok")\n' +
      'when { context.arguments.text != "secret plans" };\n',
    yaml: [
      `  issuers: [{ issuer: "${issuer.url}" }]`,
      'servers:',
      '  plain:',
      `    url: "${upstream.url}"`,
      '    headers: { X-Api-Key: env:UPSTREAM_KEY }',
      '    allow: [{ group: engineering, tools: [ok, hang] }]',
      '  lost:',
      `    url: "${upstream.url}"`,
      '    headers: { X-Api-Key: file:./no-such-file }',
      '    allow: [{ anyone: true, tools: ["*"] }]',
      '  read-only:',
      `    url: "${upstream.url}"`,
      '    tools: { ok: { readOnly: true } }',
      '    allow: [{ anyone: true, tools: [ok] }]',
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([upstream?.close(), issuer?.close()]);
});

const post = (path: string, credential: string, request: HttpRequest): Promise<HttpAnswer> =>
  send(`${gateway.url}${path}`, { ...request, headers: { ...request.headers, ...bearer(credential) } });

const ok = (text = 'hello'): HttpRequest => modern('tools/call', { name: 'ok', arguments: { text } });
const alice = (): string => gateway.keys.alice ?? '';
const bob = (): string => gateway.keys.bob ?? '';

/** The records of the newest request about a tool that ended so, oldest first. */
async function recordsOf(tool: string, outcome: string): Promise<readonly AuditRecord[]> {
  const find = (): readonly AuditRecord[] => {
    const all = gateway.records() as unknown as readonly AuditRecord[];
    const isIt = ({ resources, unmapped }: AuditRecord): boolean =>
      resources?.[0]?.uid === tool && unmapped.outcome === outcome;
    const id = all.findLast(isIt)?.metadata.correlation_uid;
    // The first call with a credential has a record of that beside its own.
    const isCall = ({ unmapped }: AuditRecord): boolean => unmapped.event === 'intent' || unmapped.event === 'outcome';
    return all.filter((one) => id !== undefined && one.metadata.correlation_uid === id && isCall(one));
  };
  await expect.poll(find).not.toEqual([]);
  return find();
}

describe('a call that is allowed', () => {
  test('reaches the server with its own credential, and never with ours', async () => {
    const answer = await post('/servers/plain/mcp', alice(), ok());
    expect(answer.json?.result).toMatchObject({ content: [{ type: 'text', text: 'fine' }] });
    const seen = upstream.seen.findLast(({ rpc }) => rpc.method === 'tools/call');
    expect(seen?.headers['x-api-key']).toBe('upstream-credential-0123456789');
    expect(JSON.stringify(seen)).not.toContain('sp_');
  });

  test('is recorded twice: the intent before it left, then what became of it', async () => {
    await post('/servers/plain/mcp', alice(), ok());
    const [intent, outcome] = await recordsOf('plain/ok', 'ok');
    expect([intent?.unmapped.event, outcome?.unmapped.event]).toEqual(['intent', 'outcome']);
    expect(intent?.metadata.sequence).toBeLessThan(outcome?.metadata.sequence ?? 0);
    expect(outcome?.actor?.user?.name).toBe('alice');
    expect(JSON.stringify(outcome?.actor?.authorizations)).toContain('plain.allow[0]');
    expect(intent?.unmapped.arguments).toMatch(/^sha256:[0-9a-f]{64}$/u);
  });

  test('needs no intent where the operator said that it only reads', async () => {
    await post('/servers/read-only/mcp', alice(), ok());
    const records = await recordsOf('read-only/ok', 'ok');
    expect(records.map(({ unmapped }) => unmapped.event)).toEqual(['outcome']);
  });

  test('may come from a token of a configured issuer, for this endpoint and no other', async () => {
    const token = await issuer.token({ audience: `${gateway.url}/servers/plain/mcp`, subject: 'carol' });
    const answer = await post('/servers/plain/mcp', token, ok());
    expect(answer.json?.result, answer.text).toBeDefined();
    for (const audience of [gateway.url, `${gateway.url}/servers/read-only/mcp`, `${gateway.url}/mcp`]) {
      const other = await issuer.token({ audience });
      expect((await post('/servers/plain/mcp', other, ok())).status, audience).toBe(401);
    }
  });
});

describe('policy looks at arguments', () => {
  test('one value is allowed, another is not, and both decisions are recorded', async () => {
    expect((await post('/servers/plain/mcp', bob(), ok('news'))).json?.result).toBeDefined();
    const denied = await post('/servers/plain/mcp', bob(), ok('secret plans'));
    expect(denied.json?.error).toMatchObject({ code: -31_403, message: expect.stringContaining('arguments') });
    const records = await recordsOf('plain/ok', 'refused');
    expect(records.at(-1)?.actor?.user?.name).toBe('bob');
  });
});

describe('a server whose secret is missing', () => {
  test('disables only itself, and says which reference leads nowhere', async () => {
    const answer = await post('/servers/lost/mcp', alice(), ok());
    expect(answer.json?.error?.message).toMatch(/lost.*(unhealthy|starting)/u);
    const status = gateway.gateway.status();
    expect(status.servers.find(({ id }) => id === 'lost')).toMatchObject({
      state: 'unhealthy',
      reason: expect.stringContaining('no-such-file'),
    });
    expect(status.servers.find(({ id }) => id === 'plain')?.state).toBe('healthy');
  });
});

describe('operators', () => {
  const operations = (path: string): Promise<HttpAnswer> =>
    send(`${gateway.gateway.operationsUrl ?? ''}${path}`, { method: 'GET' });

  test('see metrics under the names of the conventions', async () => {
    await post('/servers/plain/mcp', alice(), ok());
    const { text } = await operations('/metrics');
    expect(text).toMatch(
      /^mcp_server_operation_duration_seconds_count\{[^}]*mcp_method_name="tools\/call"[^}]*gen_ai_tool_name="ok"/mu,
    );
    expect(text).toMatch(/^mcp_client_operation_duration_seconds_count\{/mu);
    expect(text).toMatch(/^sallyport_upstream_state\{[^}]*server="lost"[^}]*state="unhealthy"[^}]*\} 1/mu);
    expect(text).toMatch(/^sallyport_authorization_decisions_total\{[^}]*effect="allow"[^}]*\} [1-9]/mu);
  });

  test('see that it lives, and that a broken server does not make it unready', async () => {
    expect((await operations('/healthz')).status).toBe(200);
    expect((await operations('/readyz')).status).toBe(200);
  });
});

describe('a legacy session', () => {
  test('is opened by initialize, belongs to one caller, and ends with DELETE', async () => {
    const opened = await post('/servers/plain/mcp', alice(), legacy('initialize'));
    const session = String(opened.headers['mcp-session-id']);
    expect(opened.json?.result).toMatchObject({ protocolVersion: '2025-11-25', capabilities: { tools: {} } });
    expect(session).toMatch(/^[\x21-\x7e]{40,2000}$/u);

    expect((await post('/servers/plain/mcp', alice(), legacy('tools/list', {}, session))).json?.result).toBeDefined();
    // The id alone is worth nothing to anyone else, and nothing on another endpoint.
    expect((await post('/servers/plain/mcp', bob(), legacy('tools/list', {}, session))).status).toBe(404);
    expect((await post('/servers/read-only/mcp', alice(), legacy('tools/list', {}, session))).status).toBe(404);

    const end = await post('/servers/plain/mcp', alice(), { method: 'DELETE', headers: { 'mcp-session-id': session } });
    expect(end.status).toBeLessThan(300);
    expect((await post('/servers/plain/mcp', alice(), legacy('tools/list', {}, session))).status).toBe(404);
  });
});

test('the record of all this verifies, and no secret is in it', async () => {
  await gateway.gateway.close(2_000);
  const verified = await verifyFile(`${gateway.directory}/audit.jsonl`);
  expect(verified).toMatchObject({ ok: true });
  const text = JSON.stringify([gateway.records(), gateway.log]);
  for (const secret of [...Object.values(gateway.keys), 'upstream-credential-0123456789', 'secret plans']) {
    expect(text).not.toContain(secret);
  }
});
