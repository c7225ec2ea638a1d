/**
 * The metrics, on OpenTelemetry's SDK. Names, buckets and attributes are those of the semantic conventions for MCP
 * (docs/gen-ai/mcp.md) and, with the prefix `sallyport.`, our own. What a client can choose is never a label unbounded.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Attributes, HrTime, Meter } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { emptyResource } from '@opentelemetry/resources';
import { MeterProvider, type CollectionResult, type MetricProducer } from '@opentelemetry/sdk-metrics';

import type { ServerId } from '../model/target.ts';
import type { ClientOperation, Instruments, ServerOperation } from './instruments.ts';
import { createOperationHistogram, DURATION_BOUNDARIES, type OperationHistogram } from './operation-histogram.ts';
import { observeProcess } from './process-metrics.ts';
import { prometheusText } from './prometheus-text.ts';

export type InstrumentsOptions = {
  /** Of the product: `sallyport_build_info`. */
  readonly version: string;
  /** Tool and prompt names that get a label of their own; later ones are `_OTHER`. */
  readonly maxNames?: number;
  /** Combinations of attributes for each of the two operation histograms. */
  readonly maxSeries?: number;
};

export interface MetricsEndpoint extends Instruments {
  /** Answers with everything in Prometheus' text format: `GET /metrics` of the operations listener. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
  /** The same text. */
  text(): Promise<string>;
  /** Ends the event-loop watch. */
  close(): Promise<void>;
}

const OTHER = '_OTHER';

/** Methods of all revisions. Anything else that reaches us is counted as `_OTHER`: a client chooses it. */
const METHODS = new Set(
  (
    'initialize ping server/discover tools/list tools/call prompts/list prompts/get resources/list resources/read ' +
    'resources/templates/list resources/subscribe resources/unsubscribe completion/complete logging/setLevel ' +
    'subscriptions/listen tasks/get tasks/update tasks/cancel tasks/list tasks/result session/end ' +
    'notifications/initialized notifications/cancelled notifications/progress notifications/roots/list_changed'
  ).split(' '),
);

const methodLabel = (method: string): string => (METHODS.has(method) ? method : OTHER);

/** The instruments, and the endpoint that shows them. Make one per process. */
export function createInstruments(options: InstrumentsOptions): MetricsEndpoint {
  const maxSeries = options.maxSeries ?? 5000;
  const server = createOperationHistogram({
    name: 'mcp.server.operation.duration',
    description: 'From a request reaching the gateway until its answer left.',
    maxSeries,
  });
  const client = createOperationHistogram({
    name: 'mcp.client.operation.duration',
    description: 'From a request leaving for a server until its answer was complete.',
    maxSeries,
  });
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    metricProducers: [producerOf([server, client])],
  });
  const provider = new MeterProvider({ readers: [exporter] });
  const meter = provider.getMeter('sallyport');
  const endProcessWatch = observeProcess(meter, options.version);
  const nameLabel = boundedNames(options.maxNames ?? 1000);
  const text = (): Promise<string> => prometheusText(exporter);
  return {
    serverOperation: (operation) => recordServer(server, operation, nameLabel),
    clientOperation: (operation) => recordClient(client, operation, nameLabel),
    ...ownInstruments(meter),
    text,
    handler: (_request, response) => {
      text().then(
        (body) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body),
        () => response.writeHead(500, { 'content-type': 'text/plain' }).end('The metrics could not be collected.\n'),
      );
    },
    close: async () => {
      endProcessWatch();
      await provider.shutdown();
    },
  };
}

function producerOf(histograms: readonly OperationHistogram[]): MetricProducer {
  const startTime = hrTime();
  const resource = emptyResource();
  return {
    collect: (): Promise<CollectionResult> => {
      const metrics = histograms.map((histogram) => histogram.collect(startTime, hrTime()));
      const scopeMetrics = [{ scope: { name: 'sallyport' }, metrics }];
      return Promise.resolve({ resourceMetrics: { resource, scopeMetrics }, errors: [] });
    },
  };
}

function hrTime(): HrTime {
  const now = Date.now();
  return [Math.floor(now / 1000), (now % 1000) * 1_000_000];
}

type NameLabel = (name: string | undefined) => string;

/** The first `max` names keep a label each, for good: a label that came and went would tear its own history. */
function boundedNames(max: number): NameLabel {
  const known = new Set<string>();
  return (name) => {
    if (name === undefined) return '';
    if (known.has(name)) return name;
    if (known.size >= max) return OTHER;
    known.add(name);
    return name;
  };
}

function recordServer(into: OperationHistogram, operation: ServerOperation, nameLabel: NameLabel): void {
  const { errorType = '', statusCode = '', revision } = operation;
  const method = methodLabel(operation.method);
  const tool = nameLabel(operation.tool);
  const prompt = nameLabel(operation.prompt);
  const key = `${method} ${tool} ${prompt} ${errorType} ${statusCode} ${revision}`;
  into.record(key, operation.seconds, () => ({
    ...commonAttributes({ method, tool, prompt, errorType }),
    ...(statusCode !== '' && { 'rpc.response.status_code': statusCode }),
    'mcp.protocol.version': revision,
    'network.transport': 'tcp',
    'network.protocol.name': 'http',
  }));
}

function recordClient(into: OperationHistogram, operation: ClientOperation, nameLabel: NameLabel): void {
  const { server, errorType = '', transport } = operation;
  const method = methodLabel(operation.method);
  const tool = nameLabel(operation.tool);
  const key = `${server} ${method} ${tool} ${errorType} ${transport}`;
  into.record(key, operation.seconds, () => ({
    ...commonAttributes({ method, tool, prompt: '', errorType }),
    'network.transport': transport,
    ...(transport === 'tcp' && { 'network.protocol.name': 'http' }),
    'sallyport.server': server,
  }));
}

type CommonLabels = {
  readonly method: string;
  readonly tool: string;
  readonly prompt: string;
  readonly errorType: string;
};

/** A call whose tool the catalog did not resolve is `_OTHER`: its name is whatever a client made up. */
function commonAttributes({ method, tool, prompt, errorType }: CommonLabels): Attributes {
  return {
    'mcp.method.name': method,
    ...(method === 'tools/call' && { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool || OTHER }),
    ...(method === 'prompts/get' && { 'gen_ai.prompt.name': prompt || OTHER }),
    ...(errorType !== '' && { 'error.type': errorType }),
  };
}

type OwnInstruments = Omit<Instruments, 'serverOperation' | 'clientOperation'>;

/** What no convention has a name for. Labels are codes of ours and servers of the configuration: bounded by nature. */
function ownInstruments(meter: Meter): OwnInstruments {
  const refusals = meter.createCounter('sallyport.refusals', { description: 'Requests that failed, by failure code.' });
  const rejections = meter.createCounter('sallyport.schema.rejections', {
    description: 'Calls whose arguments did not match the schema, by server.',
  });
  const auditFailures = meter.createCounter('sallyport.audit.write_failures', {
    description: 'Attempts to write or sync the audit file that failed.',
  });
  const streams = meter.createUpDownCounter('sallyport.streams.active', { description: 'Open event streams.' });
  const starts = meter.createHistogram('sallyport.upstream.process_start.duration', {
    description: 'From starting a stdio server until it had shaken hands, by server and kind.',
    unit: 's',
    advice: { explicitBucketBoundaries: [...DURATION_BOUNDARIES] },
  });
  // These exist, at zero, before anything happens: an alert on a counter that is absent never fires.
  auditFailures.add(0);
  streams.add(0);
  const reloads = meter.createCounter('sallyport.policy.reloads', {
    description: 'Changes of policy files, by what became of them.',
  });
  reloads.add(0, { result: 'refused' });
  const decided = countedByEffect(meter, 'sallyport.authorization.decisions', 'Decisions, by effect.');
  const observed = countedByEffect(
    meter,
    'sallyport.authorization.observed',
    'Decisions that policies in observe mode would have changed, by the effect they would have had.',
  );
  const backlog = observedBacklog(meter);
  const states = observedStates(meter, 'sallyport.upstream.state', 'The state of each server: 1 is the present one.');
  const breakers = observedStates(
    meter,
    'sallyport.upstream.breaker.state',
    'The circuit breaker of each server: 1 is the present state.',
  );
  const retries = meter.createCounter('sallyport.upstream.retries', {
    description: 'Attempts after the first, by server and the failure code before.',
  });
  return {
    decided,
    observed,
    refused: (code) => refusals.add(1, { code }),
    policiesReloaded: (result) => reloads.add(1, { result }),
    policiesRefused: observedRefusal(meter),
    schemaRejected: (server) => rejections.add(1, { server }),
    auditBacklog: backlog,
    auditFailed: () => auditFailures.add(1),
    upstreamState: states,
    breakerState: breakers,
    retried: (server, because) => retries.add(1, { server, because }),
    processStarted: (server, kind, seconds) => starts.record(seconds, { server, kind }),
    streamOpened: () => streams.add(1),
    streamClosed: () => streams.add(-1),
  };
}

/** Counted by hand and read when somebody asks: one of them comes with every call. */
function countedByEffect(meter: Meter, name: string, description: string): (effect: 'allow' | 'deny') => void {
  const counts = { allow: 0, deny: 0 };
  meter.createObservableCounter(name, { description }).addCallback((result) => {
    for (const effect of ['allow', 'deny'] as const) result.observe(counts[effect], { effect });
  });
  return (effect) => {
    counts[effect] += 1;
  };
}

function observedRefusal(meter: Meter): (refused: boolean) => void {
  let present = 0;
  meter
    .createObservableGauge('sallyport.policy.refused', {
      description: '1 while the policies in force are older than their files, because these cannot be used.',
    })
    .addCallback((result) => result.observe(present));
  return (refused) => {
    present = refused ? 1 : 0;
  };
}

function observedBacklog(meter: Meter): (records: number) => void {
  let backlog = 0;
  meter
    .createObservableGauge('sallyport.audit.backlog', { description: 'Audit records that are not yet in the file.' })
    .addCallback((result) => result.observe(backlog));
  return (records) => {
    backlog = records;
  };
}

/** One series per server and state it was ever in: 1 for the present one, 0 for the others. */
function observedStates(meter: Meter, name: string, description: string): (server: ServerId, state: string) => void {
  const states = new Map<ServerId, Map<string, number>>();
  meter.createObservableGauge(name, { description }).addCallback((result) => {
    for (const [server, ofServer] of states) {
      for (const [state, value] of ofServer) result.observe(value, { server, state });
    }
  });
  return (server, state) => {
    const ofServer = states.get(server) ?? new Map<string, number>();
    for (const other of ofServer.keys()) ofServer.set(other, 0);
    states.set(server, ofServer.set(state, 1));
  };
}
