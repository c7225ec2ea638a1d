/**
 * Traces and metrics to an OpenTelemetry collector, over OTLP/HTTP with the official exporters. Loaded only where a collector
 * is configured. A collector that is away, or slow, costs what was meant for it and nothing else: queues are bounded, nobody
 * waits for an export, and the log says once that it is away and once that it is back.
 */

import { diag, DiagLogLevel } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { PeriodicExportingMetricReader, type MetricProducer, type MetricReader } from '@opentelemetry/sdk-metrics';
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

import type { Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';
import { createOtelTraces } from './otel-traces.ts';
import { watchExports } from './otlp-outages.ts';
import { createSampling, type SamplingOptions } from './trace-sampling.ts';
import type { Traces } from './traces.ts';

export type OtlpOptions = {
  /** The base: `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string;
  /** Asked for with every batch, so that a token that is replaced is used. */
  readonly headers: () => Promise<Record<string, string>>;
  readonly timeoutMs: number;
  /** `service.name` and what else tells this gateway from others. */
  readonly resource: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly instruments: () => Pick<Instruments, 'exported'> | undefined;
};

export type Otlp = {
  readonly resource: Resource;
  traces(sampling: SamplingOptions): Traces;
  metricReader(producer: MetricProducer, everyMs: number): MetricReader;
  /** Settles in time, whatever came of it: that a collector is away must not keep a gateway from ending. */
  within(ending: Promise<void>): Promise<void>;
};

/** Spans that wait; more are dropped. About 2 KB each. */
const MAX_QUEUED_SPANS = 2048;
/** Written down at once: 1.0 ms of the event loop, against 2.5 ms for 512, the default. */
const SPANS_PER_BATCH = 128;
const SPAN_DELAY_MS = 2000;
/** Exports under way for each signal: one, but at the end, when all that waits leaves at once. */
const MAX_EXPORTS = Math.ceil(MAX_QUEUED_SPANS / SPANS_PER_BATCH);
const POINTS_PER_BATCH = 200;
/** At the end, for what was not sent yet. */
const CLOSE_TIMEOUT_MS = 3000;

const MAX_TEXT = 2048;

export function createOtlp(options: OtlpOptions): Otlp {
  const { logger, timeoutMs } = options;
  const resource = resourceFromAttributes(options.resource);
  tellDebug(logger);
  const exporterOptions = (path: string) => ({
    url: `${options.endpoint.replace(/\/+$/, '')}/${path}`,
    headers: options.headers,
    timeoutMillis: timeoutMs,
    concurrencyLimit: MAX_EXPORTS,
  });
  // Without the path, in which some services put their keys.
  const watched = { endpoint: new URL(options.endpoint).origin, logger, instruments: options.instruments };
  return {
    resource,
    traces(sampling) {
      const exporter = watchExports(new OTLPTraceExporter(exporterOptions('v1/traces')), 'traces', watched);
      const provider = new TracerProvider({
        resource,
        // Who is traced is decided before a span is made.
        sampler: new AlwaysOnSampler(),
        spanLimits: { attributeValueLengthLimit: MAX_TEXT },
        spanProcessors: [
          new BatchSpanProcessor({
            exporter,
            maxQueueSize: MAX_QUEUED_SPANS,
            maxExportBatchSize: SPANS_PER_BATCH,
            scheduledDelayMillis: SPAN_DELAY_MS,
            exportTimeoutMillis: timeoutMs,
          }),
        ],
      });
      return createOtelTraces({
        tracer: provider.getTracer('sallyport'),
        sampling: createSampling(sampling),
        close: () => within(CLOSE_TIMEOUT_MS, provider.shutdown()),
      });
    },
    metricReader(producer, everyMs) {
      const exporter = watchExports(new OTLPMetricExporter(exporterOptions('v1/metrics')), 'metrics', watched);
      return new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis: everyMs,
        exportTimeoutMillis: Math.min(timeoutMs, everyMs),
        metricProducers: [producer],
        maxExportBatchSize: POINTS_PER_BATCH,
      });
    },
    within: (ending) => within(CLOSE_TIMEOUT_MS, ending),
  };
}

async function within(timeoutMs: number, ending: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([ending.catch(() => undefined), late]);
  clearTimeout(timer);
}

/** What the SDK says of itself, one line for every batch that failed: outages are told by `otlp-outages.ts`. */
function tellDebug(logger: Logger): void {
  const tell = (message: string): void => logger.debug({ from: 'opentelemetry' }, message.slice(0, MAX_TEXT));
  const silent = (): void => undefined;
  diag.setLogger(
    { error: tell, warn: tell, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}
