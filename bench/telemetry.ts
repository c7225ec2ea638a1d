/**
 * `npm run bench -- --telemetry`: what metrics and traces cost, in one process. CPU of the updates that one call makes, of
 * tracing nothing, one call in a hundred and every call (export included, to a collector in a process of its own), and the
 * longest that an export or a scrape holds the event loop. Rounds alternate; the figures are medians.
 */

import { performance } from 'node:perf_hooks';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { InboundRequest } from '../packages/gateway/src/model/request.ts';
import { UNKNOWN_TRAITS, type ToolEntry } from '../packages/gateway/src/model/target.ts';
import { Secret } from '../packages/gateway/src/model/secret.ts';
import type { Step } from '../packages/gateway/src/model/trail.ts';
import { RequestTrail } from '../packages/gateway/src/pipeline/request-trail.ts';
import type { Logger } from '../packages/gateway/src/telemetry/logger.ts';
import { createInstruments, type MetricsEndpoint } from '../packages/gateway/src/telemetry/otel-instruments.ts';
import { createOtlp, type Otlp } from '../packages/gateway/src/telemetry/otlp.ts';
import type { Traces } from '../packages/gateway/src/telemetry/traces.ts';
import { start, until } from './processes.ts';

export type TelemetryRow = {
  readonly what: string;
  readonly figure: number;
  readonly unit: 'us' | 'ms';
  readonly bound?: number;
};

const ROUNDS = 9;
const CALLS = 40_000;
const TOOLS = 20;
/** So many calls are made before others get their turn, as on a busy gateway. */
const TURN = 64;

const ignore = (): void => undefined;
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

const entries: readonly ToolEntry[] = Array.from({ length: TOOLS }, (_, at) => ({
  kind: 'tool',
  server: { id: `server-${at % 5}`, version: '1', sharing: 'shared' },
  name: `tool_${at}`,
  aggregateName: `server-${at % 5}_tool_${at}`,
  definition: {},
  text: '{}',
  hash: '',
  traits: UNKNOWN_TRAITS,
  inputSchema: {},
}));

const entryOf = (call: number): ToolEntry => {
  const entry = entries[call % TOOLS];
  if (entry === undefined) throw new Error('there is no such tool');
  return entry;
};

const REQUEST: InboundRequest = {
  id: '4f2c8d60-55d1-4a5e-9a49-0e3bb8a5a0f1',
  receivedAtMs: Date.now(),
  startedMs: performance.now(),
  httpVersion: '1.1',
  wire: { rpcId: 17, port: 50_000, traceparent: () => undefined, tracestate: () => undefined },
  endpoint: { kind: 'aggregate' },
  presented: { bearer: new Secret('bench') },
  client: { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '127.0.0.1' },
  operation: { kind: 'call-tool', name: 'tool_1', arguments: {} },
  meta: { vendor: {} },
  sealedFor: [],
};

const PLACE = { transport: 'tcp', address: '10.0.0.7', port: 8443 } as const;

const operationOf = (entry: ToolEntry) =>
  ({ method: 'tools/call', revision: '2026-07-28', httpVersion: '1.1', tool: entry.name, seconds: 0.012 }) as const;

/** Everything that is counted for one call that goes well. */
function measureCall(metrics: MetricsEndpoint, call: number): void {
  const entry = entryOf(call);
  const server = entry.server.id;
  metrics.decided('allow');
  metrics.clientOperation({ ...operationOf(entry), ...PLACE, server });
  metrics.answered(server, entry.name, 292);
  metrics.serverOperation(operationOf(entry));
}

const STEPS: readonly Step[] = [
  'authenticate',
  'resolve',
  'admit',
  'check-scopes',
  'consume-quota',
  'answer',
  'pin',
  'validate',
  'authorize',
  'approve',
  'record-intent',
  'call',
];

const clockMs = (): number => performance.now();

/** What the pipeline does for the trace of one call; without traces, what it does anyway. */
function traceCall(traces: Traces | undefined, call: number): void {
  const entry = entryOf(call);
  const trail = new RequestTrail(clockMs, traces?.begin(REQUEST));
  for (const step of STEPS) trail.enter(step);
  trail.entry = entry;
  const watch = trail.attempt(entry.server, PLACE);
  watch.ended({ outcome: 'ok', upstream: { revision: '2026-07-28', transport: 'http' } });
  const { steps } = trail;
  trail.trace?.ended({ operation: operationOf(entry), outcome: 'ok', entry, steps, endedMs: clockMs() });
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** CPU of this process for each call: microseconds. */
async function cpuPerCall(make: (call: number) => void, calls: number): Promise<number> {
  const before = process.cpuUsage();
  for (let call = 0; call < calls; call++) {
    make(call);
    if (call % TURN === 0) await yieldNow();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/** The same rounds for all of them, in turns; the first round is of the compiler. */
async function mediansOf(
  subjects: readonly ((call: number) => void)[],
  calls: (subject: number) => number = () => CALLS,
): Promise<readonly number[]> {
  const taken: number[][] = subjects.map(() => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [at, subject] of subjects.entries()) {
      const figure = await cpuPerCall(subject, calls(at));
      if (round > 0) taken[at]?.push(figure);
    }
  }
  return taken.map(median);
}

/** The longest that the event loop was busy with something else while `work` went on: milliseconds. */
async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  const state = { over: false };
  const working = work().finally(() => {
    state.over = true;
  });
  while (!state.over) {
    const before = performance.now();
    await yieldNow();
    longest = Math.max(longest, performance.now() - before);
  }
  await working;
  return longest;
}

/** By the clock the other processes of a busy machine are measured, too: the best of several rounds is nearest to the truth. */
async function holdOf(work: () => Promise<unknown>): Promise<number> {
  await work();
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await longestHold(work));
  return Math.min(...rounds);
}

export async function measureTelemetry(): Promise<readonly TelemetryRow[]> {
  const file = fileURLToPath(new URL('./fixtures/collector.ts', import.meta.url));
  const collector = start({ role: 'anywhere', command: [process.execPath, file] });
  await until(() => /^\d+\n/.test(collector.output()), 'the collector', collector);
  const endpoint = `http://127.0.0.1:${collector.output().trim()}`;
  const batches = { sent: 0 };
  const otlp = createOtlp({
    endpoint,
    headers: () => Promise.resolve({}),
    timeoutMs: 10_000,
    resource: { 'service.name': 'bench' },
    logger: SILENT,
    instruments: () => ({ exported: () => void (batches.sent += 1) }),
  });
  return [...(await metricRows()), ...(await traceRows(otlp)), ...(await holdRows(otlp, batches))];
}

async function metricRows(): Promise<TelemetryRow[]> {
  const metrics = createInstruments({ version: 'bench' });
  const nothing = (call: number): void => void entryOf(call);
  const [idle = 0, busy = 0] = await mediansOf([nothing, (call) => measureCall(metrics, call)]);
  await metrics.close();
  return [{ what: 'metrics, per call', figure: busy - idle, unit: 'us', bound: 1.5 }];
}

async function traceRows(otlp: Otlp): Promise<TelemetryRow[]> {
  const sampled = (ratio: number): Traces =>
    otlp.traces({ ratio, trustParent: false, parentPerSecond: 50, random: Math.random });
  const [one, all] = [sampled(0.01), sampled(1)];
  const subjects = [undefined, undefined, one, all].map((traces) => (call: number) => traceCall(traces, call));
  const [off = 0, offAgain = 0, atOne = 0, atAll = 0] = await mediansOf(subjects, (at) => (at === 3 ? 2000 : CALLS));
  await Promise.all([one.close(), all.close()]);
  return [
    { what: 'tracing off, per call (two equal runs, apart by)', figure: Math.abs(offAgain - off), unit: 'us' },
    { what: 'tracing 1 percent, per call', figure: atOne - off, unit: 'us', bound: 1.5 },
    { what: 'tracing everything, per call', figure: atAll - off, unit: 'us' },
  ];
}

async function holdRows(otlp: Otlp, batches: { readonly sent: number }): Promise<TelemetryRow[]> {
  const traces = otlp.traces({ ratio: 1, trustParent: false, parentPerSecond: 0, random: Math.random });
  // 14 spans each: as many as the queue holds. A round is over when three batches have left.
  const spans = async (): Promise<void> => {
    const enough = batches.sent + 3;
    for (let call = 0; call < 150; call++) {
      traceCall(traces, call);
      await yieldNow();
    }
    while (batches.sent < enough) await yieldNow();
  };
  const rows: TelemetryRow[] = [
    { what: 'longest hold while spans are exported', figure: await holdOf(spans), unit: 'ms', bound: 5 },
  ];
  await traces.close();
  for (const series of [100, 2000]) {
    const metrics = createInstruments({ version: 'bench', maxNames: 10_000 });
    for (let at = 0; at < series; at++) {
      metrics.serverOperation({ ...operationOf(entryOf(at)), tool: `tool_${at}` });
      metrics.clientOperation({ ...operationOf(entryOf(at)), ...PLACE, tool: `tool_${at}`, server: 'server' });
    }
    const figure = await holdOf(() => metrics.bytes());
    rows.push({ what: `longest hold by a scrape of 2 x ${series} series`, figure, unit: 'ms', bound: 5 });
    await metrics.close();
  }
  return rows;
}

export function telemetryTable(rows: readonly TelemetryRow[]): string {
  const lines = rows.map(({ what, figure, unit, bound }) => {
    const aim = bound === undefined ? '' : `${figure <= bound ? 'within' : 'MISSED'}: ${bound} ${unit}`;
    return `| ${what} | ${figure.toFixed(2)} ${unit} | ${aim} |`;
  });
  return ['| what | figure | aim |', '|---|---|---|', ...lines].join('\n');
}
