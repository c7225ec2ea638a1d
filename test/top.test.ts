/** `sallyport top` over a running gateway: calls in flight are named, with who makes them. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { top } from '../packages/gateway/src/cli/top.ts';
import { createTerminal } from '../packages/gateway/src/cli/terminal.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

let upstream: MisbehavingServer;
let gateway: TestGateway;
const hanging: Promise<unknown>[] = [];

beforeAll(async () => {
  upstream = await startMisbehavingServer();
  gateway = await startTestGateway({
    users: { alice: ['staff'], bob: ['staff'], zoe: ['staff'], ann: ['auditors'], zed: ['auditors'] },
    tenants: { zoe: 'acme', zed: 'acme' },
    policies: [
      'permit (principal in Group::"staff", action, resource in Server::"notes");',
      'permit (principal in Group::"acme#staff", action, resource in Server::"notes");',
      'permit (principal in Group::"auditors", action == Action::"readLive", resource);',
      'permit (principal in Group::"acme#auditors", action == Action::"readLive", resource);',
    ].join('\n'),
    yaml: [
      'servers:',
      `  notes: { url: "${upstream.url}", retries: 0 }`,
      '  gone: { url: "http://127.0.0.1:1/mcp" }',
    ].join('\n'),
  });
  await call('alice', 'ok', { text: 'hello' });
  await call('alice', 'garbage');
  await send(`${gateway.url}/servers/notes/mcp`, {
    ...legacy('initialize'),
    headers: { ...legacy('initialize').headers, ...bearer(gateway.keys['alice'] ?? '') },
  });
  for (const who of ['alice', 'alice', 'bob', 'zoe']) hanging.push(call(who, 'hang').catch(() => undefined));
  await until(
    'four calls in flight',
    () => upstream.seen.filter(({ rpc }) => rpc.params?.name === 'hang').length === 4,
  );
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await Promise.all(hanging);
});

function call(who: string, name: string, args: Record<string, unknown> = {}): Promise<HttpAnswer> {
  const { headers, body } = modern('tools/call', { name, arguments: args });
  return send(`${gateway.url}/servers/notes/mcp`, {
    body,
    headers: { ...headers, ...bearer(gateway.keys[who] ?? '') },
  });
}

const url = (): string => gateway.gateway.operationsUrl ?? '';

async function live(who: string): Promise<Record<string, unknown>> {
  const headers = bearer(gateway.keys[who] ?? '');
  const answer = await send(`${gateway.url}/api/v1/live`, { method: 'GET', headers });
  if (answer.status !== 200) throw new Error(answer.text);
  return JSON.parse(answer.text) as Record<string, unknown>;
}

describe('a frame of a running gateway', () => {
  test('names calls in flight and who makes them, the slowest tools and the state of servers', async () => {
    const { code, out } = await sallyport(['top', '--url', url()]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Sallyport \S+ on http:\/\/127\.0\.0\.1:\d+, up /u);
    expect(out).toMatch(/4 in flight, 0 await approval/u);
    expect(out).toMatch(/^notes +healthy +\d+\.\d +\d+\.\d +50\.0 % +4 +▪{10}$/mu);
    expect(out).toMatch(/^gone +unhealthy/mu);
    expect(out).toMatch(/^notes\/garbage +\d+\.\d +100\.0 % +0 /mu);
    expect(out).toMatch(/^alice +2 +raw +4$/mu);
    expect(out).toMatch(/^ *\d+ ms +notes\/hang +zoe \(acme\) +raw +call$/mu);
  });

  test('is JSON where that is asked for', async () => {
    const { out } = await sallyport(['top', '--url', url(), '--json']);
    const { inFlight, connections, servers } = JSON.parse(out) as Record<string, unknown>;
    expect(inFlight).toMatchObject({ requests: 4, byServer: [{ name: 'notes', count: 4 }] });
    expect(connections).toBeGreaterThanOrEqual(4);
    expect(servers).toMatchObject([
      { id: 'notes', state: 'healthy' },
      { id: 'gone', state: 'unhealthy' },
    ]);
  });

  test('says what to do when nothing answers', async () => {
    const { code, err } = await sallyport(['top', '--url', 'http://127.0.0.1:1']);
    expect([code, err]).toEqual([3, expect.stringContaining('No gateway')]);
  });

  test('is drawn on a screen of its own, cut to its size, in colour, and gives the screen back', async () => {
    let written = '';
    const resized: (() => void)[] = [];
    const out = {
      isTTY: true,
      columns: 40,
      rows: 12,
      write: (text: string) => (written += text),
      on: (_: string, listener: () => void) => resized.push(listener),
      off: (_: string, listener: () => void) => resized.splice(resized.indexOf(listener), 1),
    };
    const terminal = createTerminal({ out, err: out }, {});
    const stop = new AbortController();
    const context = { terminal, env: {}, readInput: () => Promise.resolve('') };
    const running = top(context, { url: url(), once: false, json: false }, stop.signal);
    await until('a frame', () => written.includes('in flight'));
    const before = written.length;
    out.columns = 30;
    for (const listener of resized) listener();
    expect(written.length).toBeGreaterThan(before);
    stop.abort();
    await running;
    expect(written.startsWith('\u001B[?1049h\u001B[?25l')).toBe(true);
    expect(written.endsWith('\u001B[?25h\u001B[?1049l')).toBe(true);
    expect(written).toContain('\u001B[31m');
    expect(resized).toEqual([]);
    const frames = written.split('\u001B[?2026h\u001B[H').slice(1);
    for (const frame of frames) {
      // oxlint-disable-next-line no-control-regex -- these are what must not count as width
      const lines = frame.replaceAll(/\u001B\[[?0-9]*[a-zA-Z]/gu, '').split('\r\n');
      expect(lines.length).toBeLessThanOrEqual(12);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    }
  });
});

describe('what is going on, over the API', () => {
  test('is each tenant’s own, and nothing of the gateway as a whole', async () => {
    const acme = await live('zed');
    expect(acme['inFlight']).toMatchObject({ byUser: [{ name: 'zoe (acme)', count: 1 }] });
    expect(JSON.stringify(acme)).not.toContain('alice');
    expect(Object.keys(acme)).not.toContain('servers');
    expect(Object.keys(acme)).not.toContain('connections');
    const own = await live('ann');
    expect(own['inFlight']).toMatchObject({ byServer: [{ name: 'notes', count: 3 }] });
    expect(own['sessions']).toBe(0);
  });
});
