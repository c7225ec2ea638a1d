/**
 * One trace from the client through every step and attempt to the server: both eras of clients and of servers, over HTTP and
 * stdio, with a real collector at the end. The requests are made first; then the gateway is closed, which sends the rest.
 */

import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { KIND, startCollector, type CollectedSpan, type Collector } from './fixtures/collector.ts';
import { startTracedServer, type TracedServer } from './fixtures/traced-http.ts';
import type { Seen } from './fixtures/traced-tools.ts';
import { scriptPath } from './harness/child.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpAnswer } from './harness/http.ts';

const STDIO = scriptPath('fixtures/traced-stdio.ts');
const SERVERS = ['modern-http', 'legacy-http', 'modern-stdio', 'legacy-stdio'] as const;
const CLIENTS = ['modern', 'legacy'] as const;

type Asked = {
  readonly client: (typeof CLIENTS)[number];
  readonly server: (typeof SERVERS)[number];
  readonly tool: string;
  /** What the client put into `_meta`. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
};

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

/** A client's own place in a trace of its own. */
function place(sampled = true) {
  const [traceId, spanId] = [hex(16), hex(8)];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-0${sampled ? 1 : 0}` };
}

let collector: Collector;
let http: Record<'modern' | 'legacy', TracedServer>;
let session: string;
let gateway: TestGateway;

const yamlFor = (telemetry: readonly string[]): string =>
  [
    ...telemetry,
    'servers:',
    ...SERVERS.flatMap((server) => {
      const [era = '', transport] = server.split('-');
      const reached =
        transport === 'http'
          ? `url: "${http[era === 'modern' ? 'modern' : 'legacy'].url}"`
          : `command: ["${process.execPath}", "${STDIO}", ${era}]`;
      return [
        `  ${server}:`,
        `    ${reached}`,
        '    tools: { "*": { readOnly: true } }',
        '    allow: [{ anyone: true, tools: ["*"] }]',
      ];
    }),
  ].join('\n');

const COLLECTED = (sample: number): string[] => [
  'telemetry:',
  `  otlp: { endpoint: "${collector.url}", headers: { Authorization: "Bearer env:COLLECTOR_TOKEN" }, resource: { deployment.environment.name: test } }`,
  `  traces: { sample: ${sample}, parentPerSecond: 0 }`,
];

const startWith = (telemetry: readonly string[]): Promise<TestGateway> =>
  startTestGateway({ yaml: yamlFor(telemetry), env: { COLLECTOR_TOKEN: 'collector-token-0123456789' } });

async function open(of: TestGateway, path: string): Promise<string> {
  const headers = bearer(of.keys.alice ?? '');
  const request = legacy('initialize');
  const answer = await send(`${of.url}${path}`, { ...request, headers: { ...request.headers, ...headers } });
  return String(answer.headers['mcp-session-id']);
}

async function ask(of: TestGateway, { client, server, tool, meta, headers = {} }: Asked): Promise<HttpAnswer> {
  const path = `/servers/${server}/mcp`;
  const request =
    client === 'modern'
      ? modern('tools/call', { name: tool, arguments: {} })
      : legacy('tools/call', { name: tool, arguments: {} }, (session = await open(of, path)));
  const body = JSON.parse(request.body.toString()) as { params: { _meta?: object } };
  body.params = { ...body.params, _meta: { ...body.params._meta, ...meta } };
  const sent = { ...request.headers, ...bearer(of.keys.alice ?? ''), ...headers };
  return send(`${of.url}${path}`, { headers: sent, body: JSON.stringify(body) });
}

function seenBy(answer: HttpAnswer): Seen {
  const [content] = (answer.json?.result?.['content'] ?? []) as { readonly text: string }[];
  if (content === undefined) throw new Error(`no tool has answered: ${answer.status} ${answer.text}`);
  return JSON.parse(content.text) as Seen;
}

const spansOf = (traceId: string): CollectedSpan[] => collector.spans.filter((span) => span.traceId === traceId);

/** The one whose parent is no span of the gateway's. */
function rootOf(spans: readonly CollectedSpan[]): CollectedSpan {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => !ids.has(parentSpanId));
  expect(roots.map(({ name }) => name)).toHaveLength(1);
  const [root] = roots;
  if (root === undefined) throw new Error('there is no root');
  return root;
}

const clientSpans = (spans: readonly CollectedSpan[]): CollectedSpan[] =>
  spans.filter(({ kind }) => kind === KIND.client).sort((left, right) => Number(left.startNs - right.startNs));

beforeAll(async () => {
  collector = await startCollector();
  http = { modern: await startTracedServer('modern'), legacy: await startTracedServer('legacy') };
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([collector?.close(), http?.modern.close(), http?.legacy.close()]);
});

describe('a gateway that traces', () => {
  const calls = CLIENTS.flatMap((client) =>
    SERVERS.map((server) => ({ client, server, tool: 'look', from: place(), ambient: place() })),
  );
  const retried = place();
  const failing = { 'says-no': place(), faulty: place(), picky: place(), 'made-up': place() };
  const answers: HttpAnswer[] = [];
  let strange: HttpAnswer;
  let digest: string | undefined;

  beforeAll(async () => {
    gateway = await startWith(COLLECTED(1));
    for (const { from, ambient, ...asked } of calls) {
      const meta = { traceparent: from.traceparent, tracestate: 'rojo=1,congo=2', baggage: 'team=blue' };
      answers.push(await ask(gateway, { ...asked, meta, headers: { traceparent: ambient.traceparent } }));
    }
    const modernHttp = { client: 'modern', server: 'modern-http' } as const;
    await ask(gateway, { ...modernHttp, tool: 'flaky', meta: { traceparent: retried.traceparent } });
    for (const [tool, { traceparent }] of Object.entries(failing)) {
      await ask(gateway, { ...modernHttp, tool, meta: { traceparent } });
    }
    const bad = { traceparent: '00-not-a-trace-01', tracestate: 'what ever\n' };
    strange = await ask(gateway, { ...modernHttp, tool: 'look', meta: bad });
    await gateway.gateway.close(2_000);
    digest = (gateway.records() as unknown as { unmapped: { session?: string } }[]).findLast(
      ({ unmapped }) => unmapped.session !== undefined,
    )?.unmapped.session;
  }, 60_000);

  test.each(calls.map((call, at) => [`${call.client} client, ${call.server}`, call, at] as const))(
    'makes one tree of it: %s',
    (_, { client, server, from, ambient }, at) => {
      const spans = spansOf(from.traceId);
      const root = rootOf(spans);
      expect(root).toMatchObject({
        name: 'tools/call look',
        kind: KIND.server,
        parentSpanId: from.spanId,
        traceState: 'rojo=1,congo=2',
        failed: false,
        links: [{ traceId: ambient.traceId, spanId: ambient.spanId }],
      });
      const steps = spans.filter(({ kind }) => kind === KIND.internal);
      expect(steps.map(({ name, parentSpanId }) => [name, parentSpanId === root.spanId])).toEqual(
        expect.arrayContaining(
          ['authenticate', 'resolve', 'admit', 'consume-quota', 'validate', 'authorize', 'record-intent', 'call'].map(
            (name) => [name, true],
          ),
        ),
      );
      const [attempt, ...more] = clientSpans(spans);
      expect(more).toEqual([]);
      expect(attempt).toMatchObject({ name: 'tools/call look', failed: false });
      expect(attempt?.parentSpanId).toBe(steps.find(({ name }) => name === 'call')?.spanId);
      // What the server was told: our span is its parent; what is others' went through.
      const seen = seenBy(answers[at] ?? strange);
      const traceparent = `00-${from.traceId}-${attempt?.spanId}-01`;
      expect(seen.meta).toMatchObject({ traceparent, tracestate: 'rojo=1,congo=2', baggage: 'team=blue' });
      if (server.endsWith('http')) expect(seen.headers).toEqual({ traceparent, tracestate: 'rojo=1,congo=2' });
      expect(root.attributes).toMatchObject({
        'mcp.method.name': 'tools/call',
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'look',
        'mcp.protocol.version': client === 'modern' ? '2026-07-28' : '2025-11-25',
        'jsonrpc.request.id': '1',
        'network.transport': 'tcp',
        'network.protocol.name': 'http',
        'network.protocol.version': '1.1',
        'client.address': '127.0.0.1',
        'client.port': expect.any(Number),
        'sallyport.request.id': expect.any(String),
      });
      expect('mcp.session.id' in root.attributes).toBe(client === 'legacy');
      const { port } = new URL(http.modern.url);
      expect(attempt?.attributes).toMatchObject({
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': 'look',
        'mcp.protocol.version': server.startsWith('modern') ? '2026-07-28' : '2025-11-25',
        'network.transport': server.endsWith('http') ? 'tcp' : 'pipe',
        'sallyport.server': server,
        ...(server === 'modern-http' && { 'server.address': '127.0.0.1', 'server.port': Number(port) }),
      });
    },
  );

  test('steps and attempts lie within the request, one after the other', () => {
    const [first] = calls;
    const spans = spansOf(first?.from.traceId ?? '');
    const root = rootOf(spans);
    for (const span of spans) {
      expect(span.startNs <= span.endNs, span.name).toBe(true);
      expect(span.startNs >= root.startNs && span.endNs <= root.endNs, span.name).toBe(true);
    }
    const steps = spans.filter(({ kind }) => kind === KIND.internal).sort((a, b) => Number(a.startNs - b.startNs));
    for (const [at, step] of steps.entries()) {
      expect(step.endNs, step.name).toBe(steps[at + 1]?.startNs ?? root.endNs);
    }
  });

  test('names a legacy session by its digest, never by the id that opens it', () => {
    const sent = JSON.stringify(collector.spans, (_, value: unknown) => (typeof value === 'bigint' ? '' : value));
    expect(sent).not.toContain(session);
    expect(digest).toMatch(/^\S{16}$/u);
    expect(sent).toContain(`"mcp.session.id":"${digest}"`);
  });

  test('shows each attempt of a call that was made again, and tells the server of each', () => {
    const spans = spansOf(retried.traceId);
    const [first, second, ...more] = clientSpans(spans);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ failed: true, attributes: { 'error.type': 'upstream-closed' } });
    expect(second).toMatchObject({ failed: false, attributes: { 'sallyport.outcome': 'ok' } });
    expect(rootOf(spans)).toMatchObject({ failed: false });
    expect(second?.parentSpanId).toBe(first?.parentSpanId);
    expect(http.modern.flaky).toEqual(
      [first, second].map((span) => {
        const traceparent = `00-${retried.traceId}-${span?.spanId}-01`;
        return { meta: traceparent, header: traceparent };
      }),
    );
  });

  test.each([
    ['says-no', true, true, 'tool_error', undefined],
    ['faulty', true, true, '-32603', '-32603'],
    // A caller's mistake is no error of the one who is called, and one of the caller's.
    ['picky', false, true, '-32602', '-32602'],
  ] as const)('of %s the two sides say what each of them is to say', (tool, ...expected) => {
    const [server, client, errorType, code] = expected;
    const spans = spansOf(failing[tool].traceId);
    const [attempt] = clientSpans(spans);
    const root = rootOf(spans);
    expect([root.failed, attempt?.failed]).toEqual([server, client]);
    for (const span of [root, attempt]) {
      expect(span?.attributes['error.type']).toBe(errorType);
      expect(span?.attributes['rpc.response.status_code']).toBe(code);
    }
  });

  test('a tool that does not exist gives no span its name', () => {
    const spans = spansOf(failing['made-up'].traceId);
    expect(rootOf(spans)).toMatchObject({ name: 'tools/call', failed: false });
    expect(JSON.stringify(spans.map(({ name, attributes }) => [name, attributes]))).not.toContain('made-up');
  });

  test('a trace context that is not valid is no parent, and goes no further', () => {
    const { meta, headers } = seenBy(strange);
    expect(meta['tracestate']).toBeUndefined();
    expect(headers['tracestate']).toBeUndefined();
    expect(meta['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/u);
    const root = rootOf(spansOf(String(meta['traceparent']).slice(3, 35)));
    expect(root.parentSpanId).toBe('');
  });

  test('log and record name the trace', () => {
    const [first] = calls;
    const traceId = first?.from.traceId;
    const line = gateway.log.find((one) => one['traceId'] === traceId);
    expect(line).toMatchObject({ message: 'tools/call', target: 'modern-http/look' });
    const records = gateway.records() as unknown as { unmapped: { trace?: unknown; event: string } }[];
    expect(records.filter(({ unmapped }) => JSON.stringify(unmapped.trace) === `{"uid":"${traceId}"}`)).toHaveLength(1);
  });

  test('the collector is told who sends, with the secret that the configuration refers to', () => {
    expect([...collector.credentials]).toEqual(['Bearer collector-token-0123456789']);
    expect(collector.spans[0]?.resource).toMatchObject({
      'service.name': 'sallyport',
      'service.instance.id': expect.any(String),
      'deployment.environment.name': 'test',
    });
    expect(JSON.stringify(gateway.log)).not.toContain('collector-token-0123456789');
  });

  test('metrics went there as well, under the same names', () => {
    expect([...collector.metrics.keys()]).toEqual(
      expect.arrayContaining([
        'mcp.server.operation.duration',
        'mcp.client.operation.duration',
        'sallyport.build_info',
      ]),
    );
    expect([...(collector.metrics.get('mcp.client.operation.duration') ?? [])]).toContain('gen_ai.tool.name');
  });
});

describe('a gateway that does not trace this request', () => {
  test.each(['because none is to be traced', 'because there is no collector'])(
    'hands on what the client sent, as it is: %s',
    async (why) => {
      const own = await startWith(why.includes('none') ? COLLECTED(0) : []);
      const before = collector.spans.length;
      const { traceId, traceparent } = place();
      const meta = { traceparent, tracestate: 'rojo=1', baggage: 'team=blue' };
      const answer = await ask(own, { client: 'modern', server: 'modern-http', tool: 'look', meta });
      expect(seenBy(answer)).toMatchObject({ meta, headers: {} });
      await own.gateway.close(2_000);
      expect(collector.spans.slice(before)).toEqual([]);
      expect(own.log.find((one) => one['traceId'] === traceId)).toMatchObject({ message: 'tools/call' });
      await own.close();
    },
  );
});
