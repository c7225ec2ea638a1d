/** Pipeline, instruments and spans together: what a client chooses never becomes a series, and no span is left open. */

import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it } from 'vitest';

import type { Send } from '../model/call.ts';
import { refuse } from '../model/failure.ts';
import { createInstruments, type MetricsEndpoint } from '../telemetry/otel-instruments.ts';
import { createOtelTraces } from '../telemetry/otel-traces.ts';
import type { Traces } from '../telemetry/traces.ts';
import { as, callTool, DONE, worldOf } from './pipeline.fixture.ts';

let metrics: MetricsEndpoint | undefined;

afterEach(async () => {
  await metrics?.close();
  metrics = undefined;
});

function tracing(): { readonly traces: Traces; readonly exporter: InMemorySpanExporter } {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracer = provider.getTracer('test');
  return { exporter, traces: createOtelTraces({ tracer, sampling: () => true, close: () => provider.shutdown() }) };
}

describe('10,000 requests that are each made up', () => {
  it('leave a bounded number of series behind', async () => {
    const instruments = createInstruments({ version: '1.2.3' });
    metrics = instruments;
    const { handle } = worldOf({ instruments });
    for (let at = 0; at < 2500; at++) {
      const made = `made-up-${at}`;
      const client = {
        era: 'legacy',
        revision: '2025-11-25',
        capabilities: {},
        address: `192.0.2.${at % 256}`,
        info: { name: made, version: made },
        session: made,
      } as const;
      await handle(callTool(made), { client });
      await handle({ kind: 'extension', method: made, params: {} }, { client });
      await handle({ kind: 'notify', method: made, params: {} }, { client });
      await handle({ kind: 'get-prompt', name: made, arguments: {} }, { client, ...as(made) });
    }
    const text = await instruments.text();
    expect(text).not.toContain('made-up');
    expect(text).toContain('gen_ai_tool_name="_OTHER"');
    expect(text.split('\n').length).toBeLessThan(400);
  });
});

describe('spans of a request', () => {
  const again: Send = async (call, { watch }) => {
    watch
      ?.attempt(call.entry.server, { transport: 'pipe' })
      .ended({ outcome: 'upstream-closed', errorType: 'upstream-closed' });
    watch?.attempt(call.entry.server, { transport: 'pipe' }).ended({ outcome: 'ok' });
    return DONE;
  };

  it('all end, however the request ends', async () => {
    const { traces, exporter } = tracing();
    const { handle } = worldOf({ traces, send: again });
    await handle(callTool('read'));
    await handle(callTool('pay', { amount: 1000 }));
    await handle(callTool('pay', { amount: 'much' }));
    await handle(callTool('no-such-tool'));
    await handle(callTool('read'), as('nobody'));
    const names = exporter.getFinishedSpans().map(({ name }) => name);
    expect(names.filter((name) => name.startsWith('tools/call'))).toEqual([
      'tools/call read',
      'tools/call read',
      'tools/call read',
      'tools/call pay',
      'tools/call pay',
      'tools/call',
      'tools/call',
    ]);
    const ids = new Set(exporter.getFinishedSpans().map((span) => span.spanContext().spanId));
    const lost = exporter
      .getFinishedSpans()
      .filter(({ parentSpanContext: p }) => p !== undefined && !ids.has(p.spanId));
    expect(lost.map(({ name }) => name)).toEqual([]);
  });

  it('end with the request, also when its send throws', async () => {
    const { traces, exporter } = tracing();
    const send: Send = () => Promise.reject(refuse('server-unavailable'));
    await worldOf({ traces, send }).handle(callTool('read'));
    const root = exporter.getFinishedSpans().at(-1);
    expect(root).toMatchObject({ name: 'tools/call read', attributes: { 'error.type': 'server-unavailable' } });
  });

  it('hold no argument, no result and nobody’s name', async () => {
    const { traces, exporter } = tracing();
    await worldOf({ traces, send: again }).handle(callTool('pay', { amount: 7, memo: 'for-your-eyes-only' }));
    const told = JSON.stringify(exporter.getFinishedSpans().map(({ name, attributes }) => ({ name, attributes })));
    expect(told).toContain('tools/call pay');
    expect(told).not.toMatch(/for-your-eyes-only|alice/);
  });
});
