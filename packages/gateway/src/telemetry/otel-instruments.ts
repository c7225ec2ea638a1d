/**
 * The metrics, on OpenTelemetry's SDK. Names, buckets and attributes are those of the semantic conventions for MCP
 * (docs/gen-ai/mcp.md) and, with the prefix `sallyport.`, our own. What a client can choose is never a label unbounded.
 */

import type { Attributes, HrTime, Meter } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { emptyResource, type Resource } from '@opentelemetry/resources';
import {
  MeterProvider,
  type CollectionResult,
  type MetricProducer,
  type MetricReader,
} from '@opentelemetry/sdk-metrics';

import type { ServerPlace } from '../model/call.ts';
import type { ClientOperation, ClientSession, Instruments, MetricSources, ServerOperation } from './instruments.ts';
import { METRICS, type MetricDefinition } from './metric-names.ts';
import { observeFacts, type ObservedFacts } from './observed-facts.ts';
import { createOperationHistogram, type OperationHistogram } from './operation-histogram.ts';
import { ownInstruments, watchSources } from './own-instruments.ts';
import { observeProcess } from './process-metrics.ts';
import { prometheusText } from './prometheus-text.ts';
import { createSessionTimes } from './session-times.ts';

export type InstrumentsOptions = {
  /** Of the product: `sallyport_build_info`. */
  readonly version: string;
  /** Tool and prompt names that get a label of their own; later ones are `_OTHER`. */
  readonly maxNames?: number;
  /** Combinations of attributes for each of the operation histograms. */
  readonly maxSeries?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Sends the metrics as well. Given what the SDK does not collect by itself. */
  readonly push?: { readonly resource: Resource; readonly reader: (producer: MetricProducer) => MetricReader };
};

export interface MetricsEndpoint extends Instruments {
  /** Credentials and dependencies, looked at whenever the metrics are collected. Call it once. */
  observe(facts: ObservedFacts): void;
  /** Everything in Prometheus' text format, in UTF-8 and in pieces. */
  bytes(): Promise<readonly Buffer[]>;
  /** The same, joined. */
  text(): Promise<string>;
  /** Gauges of parts that exist only later than the instruments. Once. */
  watch(sources: MetricSources): void;
  /** Ends the event-loop watch, and sends what was not sent yet. */
  close(): Promise<void>;
}

const OTHER = '_OTHER';

/** The SDK's own limit for an instrument. Each is 17 lines of a scrape, about 4 KB. */
const DEFAULT_MAX_SERIES = 2000;

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
  const { push, maxSeries = DEFAULT_MAX_SERIES, now = Date.now } = options;
  const histogram = ({ name, meaning }: MetricDefinition): OperationHistogram =>
    createOperationHistogram({ name, description: meaning, maxSeries });
  const server = histogram(METRICS.serverOperation);
  const client = histogram(METRICS.clientOperation);
  const serverSession = histogram(METRICS.serverSession);
  const clientSession = histogram(METRICS.clientSession);
  const producer = producerOf([server, client, serverSession, clientSession]);
  const exporter = new PrometheusExporter({ preventServerStart: true, metricProducers: [producer] });
  const provider = new MeterProvider({
    ...(push === undefined ? {} : { resource: push.resource }),
    readers: push === undefined ? [exporter] : [exporter, push.reader(producer)],
  });
  const meter = provider.getMeter('sallyport');
  const endProcessWatch = observeProcess(meter, { version: options.version, now });
  const nameLabel = boundedNames(options.maxNames ?? 1000);
  const sessions = createSessionTimes({
    now,
    ended: ({ revision }, seconds) =>
      serverSession.record(revision, seconds, () => ({ 'mcp.protocol.version': revision, ...HTTP })),
  });
  observeSessions(meter, () => sessions.active());
  const bytes = (): Promise<readonly Buffer[]> => prometheusText(exporter);
  return {
    serverOperation: (operation) => recordServer(server, operation, nameLabel),
    clientOperation: (operation) => recordClient(client, operation, nameLabel),
    sessionUsed: (session) => sessions.used(session),
    sessionEnded: (id) => sessions.end(id),
    clientSessionEnded: (session) => recordSession(clientSession, session),
    ...ownInstruments(meter),
    observe: (facts) => observeFacts(meter, facts),
    bytes,
    text: async () => Buffer.concat(await bytes()).toString(),
    watch: (sources) => watchSources(meter, sources),
    close: async () => {
      endProcessWatch();
      await provider.shutdown();
    },
  };
}

function observeSessions(meter: Meter, active: () => number): void {
  const { name, meaning: description } = METRICS.sessions;
  meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(active()));
}

function producerOf(histograms: readonly OperationHistogram[]): MetricProducer {
  const startTime = hrTime();
  const resource = emptyResource();
  return {
    collect: async (): Promise<CollectionResult> => {
      const metrics = await Promise.all(histograms.map((histogram) => histogram.collect(startTime, hrTime())));
      const scopeMetrics = [{ scope: { name: 'sallyport' }, metrics }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
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

/** Clients come over HTTP; the gateway has no other door. */
const HTTP: Attributes = { 'network.transport': 'tcp', 'network.protocol.name': 'http' };

/** HTTP/1.1, as `egress` speaks it. */
const HTTP_OUT: Attributes = { ...HTTP, 'network.protocol.version': '1.1' };

function recordServer(into: OperationHistogram, operation: ServerOperation, nameLabel: NameLabel): void {
  const { errorType = '', statusCode = '', revision, httpVersion = '' } = operation;
  const method = methodLabel(operation.method);
  const tool = nameLabel(operation.tool);
  const prompt = nameLabel(operation.prompt);
  const key = `${method} ${tool} ${prompt} ${errorType} ${statusCode} ${revision} ${httpVersion}`;
  into.record(key, operation.seconds, () => ({
    ...commonAttributes({ method, tool, prompt, errorType, statusCode }),
    'mcp.protocol.version': revision,
    ...HTTP,
    ...(httpVersion !== '' && { 'network.protocol.version': httpVersion }),
  }));
}

function recordClient(into: OperationHistogram, operation: ClientOperation, nameLabel: NameLabel): void {
  const { server, errorType = '', statusCode = '', revision = '', transport, address = '', port = '' } = operation;
  const method = methodLabel(operation.method);
  const tool = nameLabel(operation.tool);
  const prompt = nameLabel(operation.prompt);
  const key = `${server} ${method} ${tool} ${prompt} ${errorType} ${statusCode} ${revision} ${transport} ${address} ${port}`;
  into.record(key, operation.seconds, () => ({
    ...commonAttributes({ method, tool, prompt, errorType, statusCode }),
    ...(revision !== '' && { 'mcp.protocol.version': revision }),
    ...placeAttributes(operation),
    'sallyport.server': server,
  }));
}

function recordSession(into: OperationHistogram, session: ClientSession): void {
  const { server, revision, seconds, address = '', port = '' } = session;
  into.record(`${server} ${revision} ${address} ${port}`, seconds, () => ({
    'mcp.protocol.version': revision,
    ...placeAttributes(session),
    'sallyport.server': server,
  }));
}

export const placeAttributes = ({ transport, address, port }: ServerPlace): Attributes => ({
  ...(transport === 'tcp' ? HTTP_OUT : { 'network.transport': transport }),
  ...(address !== undefined && { 'server.address': address }),
  ...(port !== undefined && { 'server.port': port }),
});

type CommonLabels = {
  readonly method: string;
  readonly tool: string;
  readonly prompt: string;
  readonly errorType: string;
  readonly statusCode: string;
};

/** A call whose tool the catalog did not resolve is `_OTHER`: its name is whatever a client made up. */
function commonAttributes({ method, tool, prompt, errorType, statusCode }: CommonLabels): Attributes {
  return {
    'mcp.method.name': method,
    ...(method === 'tools/call' && { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool || OTHER }),
    ...(method === 'prompts/get' && { 'gen_ai.prompt.name': prompt || OTHER }),
    ...(errorType !== '' && { 'error.type': errorType }),
    ...(statusCode !== '' && { 'rpc.response.status_code': statusCode }),
  };
}
