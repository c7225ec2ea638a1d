/** What a running gateway tells of itself, and that a collector which is away, or hangs, costs nobody a call. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { METRICS, prometheusName } from '../packages/gateway/src/telemetry/metric-names.ts';
import { CALLERS_FAILURES } from '../packages/gateway/src/telemetry/otel-traces.ts';
import { FAILURES, failure, type FailureCode } from '../packages/gateway/src/model/failure.ts';
import { LEGACY_REVISIONS, MODERN_REVISIONS } from '../packages/gateway/src/model/revision.ts';
import { serverCodecFor } from '../packages/gateway/src/protocol/codecs.ts';
import { KIND, startCollector } from './fixtures/collector.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { scriptPath } from './harness/child.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpAnswer } from './harness/http.ts';

const STDIO = scriptPath('fixtures/traced-stdio.ts');

let upstream: MisbehavingServer;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
});

afterAll(() => upstream?.close());

const yaml = (...more: readonly string[]): string =>
  [
    ...more,
    'servers:',
    '  plain:',
    `    url: "${upstream.url}"`,
    '    tools: { "*": { readOnly: true } }',
    '    allow: [{ anyone: true, tools: ["*"] }]',
    '  old:',
    `    command: ["${process.execPath}", "${STDIO}", legacy]`,
    '    allow: [{ anyone: true, tools: ["*"] }]',
  ].join('\n');

const post = (
  of: TestGateway,
  path: string,
  request: { headers: object; body: string | Buffer },
): Promise<HttpAnswer> =>
  send(`${of.url}${path}`, { body: request.body, headers: { ...request.headers, ...bearer(of.keys['alice'] ?? '') } });

const ok = (of: TestGateway): Promise<HttpAnswer> =>
  post(of, '/servers/plain/mcp', modern('tools/call', { name: 'ok', arguments: { text: 'x' } }));

const metricsOf = async (of: TestGateway): Promise<string> =>
  (await send(`${of.gateway.operationsUrl ?? ''}/metrics`, { method: 'GET' })).text;

/** What happens to no gateway without a fault, an approval, an operator's change or a credential that ends. */
const NOT_WITHOUT_CAUSE = [
  'retries',
  'logsDropped',
  'minutesSaved',
  'approvalsDecided',
  'telemetryExports',
  'clientSession',
  'credentialExpiry',
  'grantExpiry',
  'grants',
] as const;

describe('a running gateway', () => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await startTestGateway({
      yaml: yaml('limits: [{ per: tool, tool: half, rate: 1/hour }]'),
      audit: 'index: {}',
    });
  });

  afterAll(() => gateway?.close());

  test('shows every metric there is by its name', async () => {
    await ok(gateway);
    await post(gateway, '/servers/plain/mcp', modern('tools/call', { name: 'ok', arguments: { count: 'x' } }));
    const limited = modern('tools/call', { name: 'half', arguments: {} });
    await post(gateway, '/servers/plain/mcp', limited);
    expect((await post(gateway, '/servers/plain/mcp', limited)).json?.error?.code).toBe(-31_429);
    const path = '/servers/old/mcp';
    const session = String((await post(gateway, path, legacy('initialize'))).headers['mcp-session-id']);
    await post(gateway, path, legacy('tools/list', {}, session));
    expect(await metricsOf(gateway)).toMatch(/^sallyport_sessions_active 1$/mu);
    const ended = { 'mcp-session-id': session, ...bearer(gateway.keys['alice'] ?? '') };
    expect((await send(`${gateway.url}${path}`, { method: 'DELETE', headers: ended })).status).toBe(200);

    const text = await metricsOf(gateway);
    const names = Object.entries(METRICS).flatMap(([key, metric]) =>
      NOT_WITHOUT_CAUSE.some((one) => one === key) ? [] : [prometheusName(metric)],
    );
    const missing = names.filter((name) => !new RegExp(`^${name}(?:_count)?(?:[{ ])`, 'mu').test(text));
    expect(missing).toEqual([]);
    const lines = text.split('\n');
    for (const line of [
      /^sallyport_quota_refusals_total\{limit="1\/hour per tool on half"\} 1$/u,
      /^sallyport_schema_rejections_total\{server="plain"\} 1$/u,
      /^sallyport_response_size_bytes_total\{server="plain",tool="ok"\} [1-9]\d+$/u,
      /^sallyport_response_tokens_total\{server="plain",tool="ok"\} [1-9]\d*$/u,
      /^sallyport_upstream_connections\{server="old",state="idle"\} 1$/u,
      /^sallyport_upstream_calls_active\{server="plain"\} 0$/u,
      /^sallyport_connections_active \d+$/u,
      /^sallyport_sessions_active 0$/u,
      /^mcp_server_session_duration_seconds_count\{mcp_protocol_version="2025-11-25".*\} 1$/u,
      /^mcp_client_operation_duration_seconds_count\{.*tool_name="ok".*server_address="127.0.0.1",server_port="\d+".*server="plain"\} 1$/u,
      ...(process.platform === 'linux'
        ? [/^sallyport_upstream_process_resident_memory_bytes\{server="old"\} [1-9]\d{6,}$/u]
        : []),
    ]) {
      expect(
        lines.filter((one) => line.test(one)),
        String(line),
      ).toHaveLength(1);
    }
  });
});

describe('a server span', () => {
  test('forgives exactly what the wire calls a mistake of the caller', () => {
    const forgiven = new Set([-32_700, -32_600, -32_601, -32_602, -32_002]);
    for (const revision of [...LEGACY_REVISIONS, ...MODERN_REVISIONS]) {
      const codes = (Object.keys(FAILURES) as FailureCode[]).filter((code) => {
        const { body } = serverCodecFor(revision).encodeFailure(failure(code), { id: 1 });
        const wire = JSON.parse(body.chunks.map(String).join('')) as { readonly error: { readonly code: number } };
        return forgiven.has(wire.error.code);
      });
      expect(codes.sort(), revision).toEqual([...CALLERS_FAILURES].sort());
    }
  });
});

describe('a collector', () => {
  const sending = (endpoint: string): string =>
    yaml('telemetry:', `  otlp: { endpoint: "${endpoint}", timeout: 1s }`, '  traces: { sample: 1 }');

  test('that refuses everything is told of once, and calls go on', async () => {
    const collector = await startCollector();
    collector.status = 400;
    const gateway = await startTestGateway({ yaml: sending(collector.url) });
    const told = (): readonly string[] =>
      gateway.log
        .filter(({ level }) => level === 'warn')
        .flatMap(({ message }) => message.match(/collector .*traces/u) ?? []);
    for (let batch = 1; batch <= 2; batch++) {
      expect((await ok(gateway)).json?.result).toBeDefined();
      await expect.poll(() => collector.batches, { timeout: 15_000 }).toBeGreaterThanOrEqual(batch);
    }
    expect(told()).toHaveLength(1);
    collector.status = 200;
    await ok(gateway);
    await expect.poll(() => collector.spans.length, { timeout: 15_000 }).toBeGreaterThan(0);
    expect(gateway.log.some(({ message }) => message === 'the collector takes traces again')).toBe(true);
    expect(await metricsOf(gateway)).toMatch(
      /^sallyport_telemetry_exports_total\{signal="traces",result="failed"\} [1-9]/mu,
    );
    await gateway.close();
    await collector.close();
  });

  test('that takes connections and never answers holds up neither a call nor the end', async () => {
    const hole = createServer(() => undefined);
    await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
    const gateway = await startTestGateway({
      yaml: sending(`http://127.0.0.1:${(hole.address() as AddressInfo).port}`),
    });
    for (let at = 0; at < 100; at++) expect((await ok(gateway)).json?.result).toBeDefined();
    // 3 s for the exports; the test's own limit is seven times that.
    await gateway.close();
    hole.closeAllConnections();
    hole.close();
  });

  test('gets all that waits when the gateway ends', async () => {
    const collector = await startCollector();
    const gateway = await startTestGateway({ yaml: sending(collector.url) });
    await Promise.all(Array.from({ length: 60 }, () => ok(gateway)));
    await gateway.close();
    // A request's own span is its last.
    expect(collector.spans.filter(({ name, kind }) => name === 'tools/call ok' && kind === KIND.server)).toHaveLength(
      60,
    );
    await collector.close();
  });

  test('whose secret is missing keeps the gateway from starting, and the message says which', async () => {
    const headers =
      '  otlp: { endpoint: "http://127.0.0.1:4318", headers: { Authorization: "Bearer env:NO_SUCH_TOKEN" } }';
    await expect(startTestGateway({ yaml: yaml('telemetry:', headers) })).rejects.toThrow(
      /Authorization under telemetry\.otlp .*NO_SUCH_TOKEN/u,
    );
  });

  test.each([
    ['a secret written out', 'headers: { Authorization: "Bearer abcdefghijklmnop0123456789" }', /Authorization/u],
    ['a password in the URL', 'endpoint: "http://user:hunter2@collector:4318"', /user and a password/u],
  ])('with %s is refused', async (_, line, said) => {
    const endpoint = line.startsWith('endpoint') ? line : `endpoint: "http://127.0.0.1:4318", ${line}`;
    await expect(startTestGateway({ yaml: yaml('telemetry:', `  otlp: { ${endpoint} }`) })).rejects.toThrow(said);
  });
});
