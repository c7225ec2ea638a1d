/** What callers get while the server of a tool does not answer: an error that helps, their own last answer, or another server's. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, it } from 'vitest';

import { startRecordingServer, type RecordingServer } from './fixtures/recording-http.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const TOOL = { name: 'look', inputSchema: { type: 'object', properties: { at: { type: 'string' } } } };
const OTHER = { name: 'write', inputSchema: { type: 'object' } };

async function upstream(text: string): Promise<RecordingServer> {
  const server = await startRecordingServer([TOOL, OTHER], text);
  closers.push(() => server.close());
  return server;
}

async function started(servers: string, users: Record<string, string[]> = { alice: ['all'], bob: ['all'] }) {
  const made = await startTestGateway({ yaml: `servers:\n${servers}`, users });
  closers.push(() => made.close());
  return made;
}

const server = (id: string, url: string, words: string, allow = '[{ group: all, tools: ["*"] }]'): string =>
  `  ${id}: { url: "${url}", retries: 0, breaker: off, tools: { look: { ${words} } }, allow: ${allow} }\n`;

type Called = { readonly who?: string; readonly server?: string; readonly tool?: string; readonly at?: string };

async function call(gateway: TestGateway, called: Called = {}): Promise<HttpAnswer> {
  const { who = 'alice', server: id = 'crm', tool = 'look', at = 'here' } = called;
  const request = modern('tools/call', { name: tool, arguments: tool === 'look' ? { at } : {} });
  return send(`${gateway.url}/servers/${id}/mcp`, {
    ...request,
    headers: { ...request.headers, ...bearer(gateway.keys[who] ?? '') },
  });
}

type Result = {
  readonly content?: { text?: string }[];
  readonly isError?: boolean;
  readonly _meta?: Record<string, unknown>;
};
const resultOf = (answer: HttpAnswer): Result => answer.json?.result ?? {};
const textOf = (answer: HttpAnswer): string => (resultOf(answer).content ?? []).map(({ text }) => text).join('\n');

describe('a tool with onFailure: {cached}', () => {
  it("gives its caller's own last answer, marked as old for programs and for the model", async () => {
    const crm = await upstream('seven');
    const gateway = await started(server('crm', crm.url, 'readOnly: true, onFailure: { cached: 10m }'));
    const fresh = await call(gateway);
    expect(resultOf(fresh)._meta?.['io.sallyport/cached']).toBeUndefined();
    await crm.close();
    const old = await call(gateway);
    expect(resultOf(old).isError).toBeUndefined();
    expect(textOf(old)).toMatch(
      /^seven\nNote: crm cannot be asked at the moment, so this is its answer from \S+Z, \d+ s old\./u,
    );
    expect(resultOf(old)._meta?.['io.sallyport/cached']).toMatchObject({
      server: 'crm',
      because: 'server-unavailable',
    });
  });

  it('has nothing for other arguments, and nothing for other people', async () => {
    const crm = await upstream('seven');
    const gateway = await started(server('crm', crm.url, 'readOnly: true, onFailure: { cached: 10m }'));
    await call(gateway, { at: 'here' });
    await crm.close();
    expect((await call(gateway, { at: 'there' })).text).toContain('server-unavailable');
    expect((await call(gateway, { who: 'bob' })).text).toContain('server-unavailable');
    expect(textOf(await call(gateway))).toContain('seven');
  });

  it('has it for everyone of the tenant where the operator classified the tool as public', async () => {
    const crm = await upstream('seven');
    const words = 'readOnly: true, classification: public, onFailure: { cached: 10m }';
    const gateway = await started(server('crm', crm.url, words));
    await call(gateway);
    await crm.close();
    expect(textOf(await call(gateway, { who: 'bob' }))).toContain('seven');
  });

  it.each([
    ['is not marked readOnly', 'onFailure: { cached: 10m }'],
    ['is marked noStale', 'readOnly: true, noStale: true, onFailure: { cached: 10m }'],
    ['has an answer that is too old', 'readOnly: true, onFailure: { cached: 1ms }'],
    ['has no onFailure', 'readOnly: true'],
  ])('fails when it %s', async (_, words) => {
    const crm = await upstream('seven');
    const gateway = await started(server('crm', crm.url, words));
    await call(gateway);
    await crm.close();
    const answer = await call(gateway);
    expect(answer.text).toContain('server-unavailable');
    expect(answer.text).not.toContain('seven');
  });

  it('is recorded with the age of the answer, and the attempt that failed', async () => {
    const crm = await upstream('seven');
    const gateway = await started(server('crm', crm.url, 'readOnly: true, onFailure: { cached: 10m }'));
    await call(gateway);
    await crm.close();
    await call(gateway);
    const record = await until('the record', () =>
      gateway.records().find((one) => (one['unmapped'] as { cached?: unknown } | undefined)?.cached !== undefined),
    );
    expect(record).toMatchObject({ unmapped: { outcome: 'ok', cached: { age_ms: expect.any(Number) } } });
    expect(JSON.stringify(record)).toContain('server-unavailable');
  });

  it('is not asked for again from memory once its caller may not use it any more', async () => {
    const crm = await upstream('seven');
    const gateway = await started(
      server('crm', crm.url, 'readOnly: true, onFailure: { cached: 10m }', '[{ user: alice, tools: ["*"] }]'),
    );
    await call(gateway);
    await crm.close();
    expect((await call(gateway, { who: 'bob' })).text).toMatch(/Unknown tool|unknown/u);
  });
});

describe('a tool with onFailure: {server}', () => {
  const pair = (first: string, second: string, more = 'readOnly: true', allow?: string): string =>
    server('crm', first, 'readOnly: true, onFailure: { server: backup }') + server('backup', second, more, allow);

  it('is answered by the tool of the same name there, which is told of', async () => {
    const [crm, backup] = [await upstream('seven'), await upstream('eight')];
    const gateway = await started(pair(crm.url, backup.url));
    expect(textOf(await call(gateway))).toBe('seven');
    await crm.close();
    const answer = await call(gateway, { at: 'home' });
    expect(textOf(answer)).toBe('eight\nNote: crm does not answer, so backup was asked instead.');
    expect(resultOf(answer)._meta?.['io.sallyport/fallback']).toEqual({ server: 'backup', insteadOf: 'crm' });
    expect(backup.calls.at(-1)?.arguments).toEqual({ at: 'home' });
    const record = await until('the record', () =>
      gateway.records().find((one) => (one['unmapped'] as { fallback?: unknown } | undefined)?.fallback !== undefined),
    );
    expect(record).toMatchObject({ unmapped: { outcome: 'ok', fallback: 'backup' } });
  });

  it.each([
    ['may not use that one', 'readOnly: true', '[{ user: bob, tools: ["*"] }]'],
    ['is not one that only reads there', 'risk: low', undefined],
    ['is hidden there', 'readOnly: true, hidden: true', undefined],
  ])('fails when the caller, or the tool, %s', async (_, words, allow) => {
    const [crm, backup] = [await upstream('seven'), await upstream('eight')];
    const gateway = await started(pair(crm.url, backup.url, words, allow));
    await crm.close();
    const answer = await call(gateway);
    expect(answer.text).toContain('server-unavailable');
    expect(backup.calls).toEqual([]);
  });

  it('fails as the first one did when both are away, and does not go in circles', async () => {
    const [crm, backup] = [await upstream('seven'), await upstream('eight')];
    const both = pair(crm.url, backup.url, 'readOnly: true, onFailure: { server: crm }');
    const gateway = await started(both);
    await Promise.all([crm.close(), backup.close()]);
    expect((await call(gateway)).json?.error?.message).toMatch(/crm|127\.0\.0\.1/u);
  });

  it('is not asked when the first one answered, be it with an error', async () => {
    const broken = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { id, method } = JSON.parse(body) as { id?: unknown; method: string };
        const cache = { ttlMs: 0, cacheScope: 'private', resultType: 'complete' };
        const results: Record<string, unknown> = {
          'server/discover': { ...cache, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
          'tools/list': { ...cache, tools: [TOOL] },
        };
        const result = results[method];
        const answer = result === undefined ? { error: { code: -32_000, message: 'no such place' } } : { result };
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
      });
    });
    await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => broken.close(resolve)));
    const backup = await upstream('eight');
    const gateway = await started(pair(`http://127.0.0.1:${(broken.address() as AddressInfo).port}/mcp`, backup.url));
    expect((await call(gateway)).text).toContain('no such place');
    expect(backup.calls).toEqual([]);
  });
});

describe('an error about a server that does not answer', () => {
  it('has the advice of its operator', async () => {
    const crm = await upstream('seven');
    const gateway = await started(
      server('crm', crm.url, 'onFailure: { advice: "Ask in #crm; wiki_search knows most of it." }'),
    );
    await crm.close();
    expect((await call(gateway)).text).toContain('Ask in #crm; wiki_search knows most of it.');
  });
});
