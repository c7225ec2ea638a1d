/** A metric that is renamed breaks somebody's dashboard and alerts: the names are held here, and against the conventions. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { afterEach, describe, expect, it } from 'vitest';

import { attributeNames, METRICS, prometheusName, type MetricDefinition } from './metric-names.ts';
import { METRICS_FILE, metricsPage } from './metrics-page.ts';
import { createInstruments, type MetricsEndpoint } from './otel-instruments.ts';

const ALL: readonly MetricDefinition[] = Object.values(METRICS);

const OPERATION =
  'mcp_method_name gen_ai_operation_name gen_ai_tool_name gen_ai_prompt_name error_type rpc_response_status_code ' +
  'mcp_protocol_version network_transport network_protocol_name network_protocol_version';
const PLACE = 'server_address server_port sallyport_server';

/** Names on the Prometheus endpoint, each with its labels. */
const GOLDEN: Readonly<Record<string, string>> = {
  mcp_server_operation_duration_seconds: OPERATION,
  mcp_client_operation_duration_seconds: `${OPERATION} ${PLACE}`,
  mcp_server_session_duration_seconds: 'mcp_protocol_version network_transport network_protocol_name',
  mcp_client_session_duration_seconds: `mcp_protocol_version network_transport network_protocol_name network_protocol_version ${PLACE}`,
  sallyport_connections_active: '',
  sallyport_streams_active: '',
  sallyport_subscriptions_active: 'era',
  sallyport_upstream_feeds: 'server',
  sallyport_subscriptions_notifications_total: 'of',
  sallyport_sessions_active: '',
  sallyport_calls_active: '',
  sallyport_upstream_calls_active: 'server',
  sallyport_upstream_connections: 'server state',
  sallyport_upstream_state: 'server state',
  sallyport_upstream_breaker_state: 'server state',
  sallyport_upstream_retries_total: 'server because',
  sallyport_upstream_log_messages_dropped_total: 'server',
  sallyport_upstream_process_start_duration_seconds: 'server kind',
  sallyport_upstream_process_cpu_seconds_total: 'server',
  sallyport_upstream_process_resident_memory_bytes: 'server',
  sallyport_refusals_total: 'code',
  sallyport_authorization_decisions_total: 'effect',
  sallyport_authorization_observed_total: 'effect',
  sallyport_quota_refusals_total: 'limit',
  sallyport_approvals_pending: '',
  sallyport_calls_parked: '',
  sallyport_approvals_decided_total: 'verdict how',
  sallyport_schema_rejections_total: 'server',
  sallyport_policy_reloads_total: 'result',
  sallyport_policy_refused: '',
  sallyport_audit_backlog: '',
  sallyport_audit_write_failures_total: '',
  sallyport_audit_failing: '',
  sallyport_audit_bodies_total: 'state',
  sallyport_audit_sink_lag_records: 'sink',
  sallyport_audit_sink_lag_seconds: 'sink',
  sallyport_audit_sink_failures_total: 'sink',
  sallyport_audit_sink_rejected_total: 'sink',
  sallyport_audit_sink_missed_total: 'sink',
  sallyport_response_size_bytes_total: 'server tool',
  sallyport_response_tokens_total: 'server tool',
  sallyport_minutes_saved_total: 'server tool',
  sallyport_catalog_version: '',
  sallyport_catalog_changes_total: '',
  sallyport_catalog_problems: 'code',
  sallyport_definition_drift: 'server',
  sallyport_telemetry_exports_total: 'signal result',
  sallyport_credential_expiry_seconds: 'credential kind',
  sallyport_grant_expiry_seconds: 'server status',
  sallyport_grants: 'server status',
  sallyport_dependency_up: 'dependency kind',
  sallyport_capacity: 'resource',
  sallyport_upstream_capacity: 'server',
  sallyport_upstream_state_since_seconds: 'server',
  sallyport_build_info: 'version node',
  sallyport_process_resident_memory_bytes: '',
  sallyport_process_cpu_seconds_total: '',
  sallyport_process_start_time_seconds: '',
  sallyport_event_loop_delay_seconds: 'quantile',
};

const labelsOf = (metric: MetricDefinition): string =>
  attributeNames(metric)
    .map((name) => name.replaceAll('.', '_'))
    .join(' ');

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) process.stderr.write('SKIPPED: promtool is not installed (Debian: apt-get install prometheus)\n');

let metrics: MetricsEndpoint | undefined;

afterEach(async () => {
  await metrics?.close();
  metrics = undefined;
});

/** Everything that can be counted, once. */
function exercised(): MetricsEndpoint {
  const made = createInstruments({ version: '1.2.3' });
  metrics = made;
  const failed = { errorType: '-32603', statusCode: '-32603' };
  const operation = { revision: '2026-07-28', seconds: 0.015, ...failed } as const;
  made.serverOperation({ ...operation, method: 'tools/call', tool: 'read', httpVersion: '1.1' });
  made.serverOperation({ ...operation, method: 'prompts/get', prompt: 'sum' });
  const place = { transport: 'tcp', address: 'mcp.example.com', port: 443 } as const;
  made.clientOperation({ ...operation, ...place, server: 'files', method: 'tools/call', tool: 'read' });
  made.clientOperation({ ...operation, ...place, server: 'files', method: 'prompts/get', prompt: 'sum' });
  made.clientSessionEnded({ ...place, server: 'files', revision: '2025-11-25', seconds: 5 });
  made.sessionUsed({ id: 's', startedAtMs: 0, revision: '2025-11-25' });
  made.sessionEnded('s');
  made.answered('files', 'read', 900);
  made.minutesSaved('files', 'read', 2.5);
  made.decided('allow');
  made.observed('deny');
  made.refused('forbidden');
  made.quotaRefused('60/minute per tool');
  made.approvalDecided('approved', 'browser');
  made.policiesReloaded('refused');
  made.policiesRefused(true);
  made.schemaRejected('files');
  made.auditBacklog(7);
  made.auditFailed();
  made.auditFailing(true);
  made.bodies('stored');
  made.auditSink('siem', () => ({ lagRecords: 3, lagSeconds: 1.5 }));
  made.upstreamState('files', 'healthy');
  made.breakerState('files', 'open');
  made.retried('files', 'upstream-closed');
  made.logDropped('files');
  made.processStarted('files', 'cold', 0.15);
  made.streamOpened();
  made.catalogChanged();
  made.changeTold('tools');
  made.exported('traces', 'sent');
  made.watch({
    connections: () => Promise.resolve(3),
    calls: () => 2,
    approvalsPending: () => 1,
    parkedCalls: () => 1,
    subscriptions: () => ({ legacy: 1, modern: 2 }),
    feeds: () => new Map([['files', 1]]),
    upstreams: () => new Map([['files', { inFlight: 2, states: { used: 1, idle: 0 } }]]),
    catalog: () => ({ version: 0xabc, problems: { 'name-collision': 1 } }),
    drift: () => new Map([['files', 1]]),
    processes: () => Promise.resolve(new Map([['files', { cpuSeconds: 1.5, residentBytes: 4096 }]])),
  });
  made.observe({
    credentials: () => [{ credential: 'listener', kind: 'tls-certificate', expiresAtMs: 5_000 }],
    grants: () => [{ server: 'tickets', status: 'good', count: 2, expiresAtMs: 5_000 }],
    dependencies: () => [{ dependency: 'storage', kind: 'database', up: true }],
    servers: () => [{ server: 'files', capacity: 10, sinceMs: 1_000 }],
    capacity: { requests: 10, streams: 20 },
    now: () => 0,
  });
  return made;
}

/** Base names with the labels that their series carry. */
function seriesOf(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const [, name, labels = ''] = /^([a-zA-Z_:]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined || name === 'target_info') continue;
    const base = name.replace(/_(?:bucket|sum|count)$/, '');
    const known = found.get(base) ?? new Set<string>();
    for (const [, label] of labels.matchAll(/([a-z_]+)="/g))
      if (label !== undefined && label !== 'le') known.add(label);
    found.set(base, known);
  }
  return found;
}

describe('the names of metrics', () => {
  it('are those that dashboards and alerts were written for', () => {
    expect(Object.fromEntries(ALL.map((metric) => [prometheusName(metric), labelsOf(metric)]))).toEqual(GOLDEN);
  });

  it('are those of the semantic conventions, where they have one', () => {
    const known = new Set<unknown>(
      Object.entries(conventions).flatMap(([key, value]) => (key.startsWith('METRIC_') ? [value] : [])),
    );
    const ours = ALL.filter(({ name }) => !name.startsWith('sallyport.')).map(({ name }) => name);
    expect(ours).toEqual([
      conventions.METRIC_MCP_SERVER_OPERATION_DURATION,
      conventions.METRIC_MCP_CLIENT_OPERATION_DURATION,
      conventions.METRIC_MCP_SERVER_SESSION_DURATION,
      conventions.METRIC_MCP_CLIENT_SESSION_DURATION,
    ]);
    expect(ours.filter((name) => !known.has(name))).toEqual([]);
  });

  it('have attributes of the conventions, where these have one', () => {
    const known = new Set<unknown>(
      Object.entries(conventions).flatMap(([key, value]) => (key.startsWith('ATTR_') ? [value] : [])),
    );
    const dotted = new Set(ALL.flatMap(attributeNames).filter((name) => name.includes('.')));
    expect([...dotted].filter((name) => !known.has(name))).toEqual(['sallyport.server']);
  });

  it('are all there once something happened, with these labels and no others', async () => {
    const found = seriesOf(await exercised().text());
    const expected = Object.entries(GOLDEN).map(([name, labels]) => [name, labels.split(' ').filter(Boolean).sort()]);
    expect(Object.fromEntries([...found].map(([name, labels]) => [name, [...labels].sort()]))).toEqual(
      Object.fromEntries(expected),
    );
  });

  it.skipIf(!hasPromtool)("are what Prometheus' own tool finds nothing wrong with", async () => {
    const input = await exercised().text();
    const { stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    const accepted = [
      '',
      // A summary would count since the start; what matters is now.
      'sallyport_event_loop_delay_seconds non-summary metrics should not have "quantile" label',
      // Owners state minutes, and reports add minutes up.
      'sallyport_minutes_saved_total use base unit "seconds" instead of "minutes"',
    ];
    expect(stderr.split('\n').filter((said) => !accepted.includes(said))).toEqual([]);
  });

  it('stand on the reference page as it is in the repository; "npm run schema" writes it', () => {
    const file = new URL(`../../../../${METRICS_FILE}`, import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(metricsPage());
  });
});

describe('the labels of a series', () => {
  const seriesCount = async (made: MetricsEndpoint): Promise<number> =>
    (await made.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;

  it('stay bounded when 10,000 of everything that others choose come by', async () => {
    const bounds = { maxNames: 20, maxSeries: 50 };
    const made = createInstruments({ version: '1.2.3', ...bounds });
    metrics = made;
    for (let at = 0; at < 10_000; at++) {
      const name = `name-${at}`;
      const operation = {
        revision: '2026-07-28',
        seconds: 0.01,
        tool: name,
        errorType: name,
        statusCode: name,
      } as const;
      made.serverOperation({ ...operation, method: at % 2 === 0 ? name : 'tools/call' });
      made.clientOperation({ ...operation, method: 'tools/call', server: name, transport: 'pipe' });
      made.sessionUsed({ id: name, startedAtMs: 0, revision: '2025-11-25' });
      made.sessionEnded(name);
      made.answered('files', name, 10);
      made.quotaRefused(name);
      made.approvalDecided(name, name);
      made.schemaRejected(name);
    }
    // 17 lines for a histogram's series; a thousand for each counter by label, two thousand for tools.
    expect(await seriesCount(made)).toBeLessThan(3 * 51 * 17 + 3 * 1001 + 2 * 2001 + 100);
    const text = await made.text();
    expect(text).toContain('sallyport_quota_refusals_total{limit="_OTHER"} 9000');
    expect(text).toContain('otel_metric_overflow="true"');
  });
});
