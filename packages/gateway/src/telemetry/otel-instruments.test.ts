import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createInstruments, type MetricsEndpoint } from './otel-instruments.ts';

let metrics: MetricsEndpoint;

beforeEach(() => {
  metrics = createInstruments({ version: '1.2.3', maxNames: 3, maxSeries: 4 });
});

afterEach(() => metrics.close());

const lines = async (start: string): Promise<string[]> =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(start));

const call = { method: 'tools/call', revision: '2026-07-28', seconds: 0.015 } as const;

describe('an operation', () => {
  it('is counted under the conventional name, buckets and attributes', async () => {
    metrics.serverOperation({ ...call, tool: 'read_text_file' });
    const labels =
      'mcp_method_name="tools/call",gen_ai_operation_name="execute_tool",gen_ai_tool_name="read_text_file",' +
      'mcp_protocol_version="2026-07-28",network_transport="tcp",network_protocol_name="http"';
    expect(await lines('mcp_server_operation_duration_seconds')).toEqual([
      `mcp_server_operation_duration_seconds_count{${labels}} 1`,
      `mcp_server_operation_duration_seconds_sum{${labels}} 0.015`,
      ...['0.01', '0.02', '0.05', '0.1', '0.2', '0.5', '1', '2', '5', '10', '30', '60', '120', '300', '+Inf'].map(
        (le) => `mcp_server_operation_duration_seconds_bucket{${labels},le="${le}"} ${le === '0.01' ? 0 : 1}`,
      ),
    ]);
    expect(await metrics.text()).toContain('# TYPE mcp_server_operation_duration_seconds histogram');
  });

  it('towards a server says which, how, and what went wrong', async () => {
    metrics.clientOperation({
      server: 'files',
      method: 'tools/call',
      tool: 'x',
      errorType: 'tool_error',
      transport: 'pipe',
      seconds: 400,
    });
    const [count] = await lines('mcp_client_operation_duration_seconds_count');
    expect(count).toBe(
      'mcp_client_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_operation_name="execute_tool",' +
        'gen_ai_tool_name="x",error_type="tool_error",network_transport="pipe",sallyport_server="files"} 1',
    );
    expect((await lines('mcp_client_operation_duration_seconds_bucket')).at(-2)).toMatch(/le="300"} 0$/);
  });

  it('whose tool was not resolved, and a method nobody knows, are _OTHER', async () => {
    metrics.serverOperation(call);
    metrics.serverOperation({ ...call, method: 'evil/"method\n' });
    const counts = await lines('mcp_server_operation_duration_seconds_count');
    expect(counts[0]).toContain('gen_ai_tool_name="_OTHER"');
    expect(counts[1]).toContain('mcp_method_name="_OTHER"');
  });

  it('never makes more series than allowed, whatever clients send, and loses no count', async () => {
    for (let index = 0; index < 100; index++) {
      metrics.serverOperation({ ...call, tool: `tool-${index}`, errorType: `error-${index}` });
    }
    const counts = await lines('mcp_server_operation_duration_seconds_count');
    expect(counts).toHaveLength(5);
    expect(counts.at(-1)).toContain('otel_metric_overflow="true"} 96');
    expect(new Set(counts.map((line) => /tool_name="([^"]*)"/.exec(line)?.[1])).has('tool-3')).toBe(false);
  });
});

describe('our own metrics', () => {
  it('carry the names that dashboards and alerts use', async () => {
    metrics.decided('deny');
    metrics.observed('allow');
    metrics.refused('forbidden');
    metrics.schemaRejected('files');
    metrics.auditBacklog(7);
    metrics.auditFailed();
    metrics.upstreamState('files', 'starting');
    metrics.upstreamState('files', 'healthy');
    metrics.processStarted('files', 'cold', 0.15);
    metrics.streamOpened();
    metrics.streamOpened();
    metrics.streamClosed();
    const text = await metrics.text();
    for (const line of [
      'sallyport_authorization_decisions_total{effect="allow"} 0',
      'sallyport_authorization_decisions_total{effect="deny"} 1',
      'sallyport_authorization_observed_total{effect="allow"} 1',
      'sallyport_authorization_observed_total{effect="deny"} 0',
      'sallyport_refusals_total{code="forbidden"} 1',
      'sallyport_schema_rejections_total{server="files"} 1',
      'sallyport_audit_backlog 7',
      'sallyport_audit_write_failures_total 1',
      'sallyport_upstream_state{server="files",state="starting"} 0',
      'sallyport_upstream_state{server="files",state="healthy"} 1',
      'sallyport_upstream_process_start_duration_seconds_count{server="files",kind="cold"} 1',
      'sallyport_streams_active 1',
      `sallyport_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'process_start_time_seconds']) {
      expect(text).toMatch(new RegExp(`^sallyport_${name} [0-9.]+$`, 'm'));
    }
    expect(text).toMatch(/^sallyport_event_loop_delay_seconds\{quantile="0\.99"\} [0-9.e-]+$/m);
  });

  it('are there at zero before anything happened, so that an alert on them can fire', async () => {
    const text = await metrics.text();
    for (const name of [
      'sallyport_audit_write_failures_total',
      'sallyport_streams_active',
      'sallyport_audit_backlog',
    ]) {
      expect(text).toMatch(new RegExp(`^${name} 0$`, 'm'));
    }
  });
});
