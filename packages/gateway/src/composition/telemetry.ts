/** Metrics and traces, and where a configuration sends them. */

import { randomUUID } from 'node:crypto';

import type { Config, TelemetryConfig } from '../config/config.ts';
import type { SecretResolver } from '../credential/secret-resolver.ts';
import { UnresolvedReferenceError } from '../credential/secret-store.ts';
import { SALLYPORT } from '../protocol/identity.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createInstruments, type MetricsEndpoint } from '../telemetry/otel-instruments.ts';
import type { Traces } from '../telemetry/traces.ts';

type TelemetryParts = { readonly config: Config; readonly secrets: Resolver; readonly logger: Logger };

type Resolver = Pick<SecretResolver, 'resolve'>;

export type Telemetry = {
  readonly instruments: MetricsEndpoint;
  /** Undefined: nothing is traced, and nothing is spent on it. */
  readonly traces: Traces | undefined;
  /** Whether the collector took the last batch of each signal; undefined where there is none, or nothing was sent yet. */
  collector(): { readonly up: boolean; readonly reason?: string } | undefined;
  close(): Promise<void>;
};

/** The section `telemetry` asks for something that cannot be had. The message says what to do. */
export class TelemetryConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TelemetryConfigError';
  }
}

/** @throws TelemetryConfigError when a secret for the collector is missing; that the collector is away is no error. */
export async function composeTelemetry({ config, secrets, logger }: TelemetryParts): Promise<Telemetry> {
  const { version } = SALLYPORT;
  const { telemetry } = config;
  if (telemetry === undefined) {
    const instruments = createInstruments({ version });
    return { instruments, traces: undefined, collector: () => undefined, close: () => instruments.close() };
  }
  const headers = (): Promise<Record<string, string>> => resolveHeaders(telemetry, secrets);
  await headers();
  // The exporters and all that they bring: about 10 MB of memory that a gateway without a collector does not have.
  const { createOtlp } = await import('../telemetry/otlp.ts');
  let instruments: MetricsEndpoint | undefined;
  const last = new Map<string, 'sent' | 'failed'>();
  const otlp = createOtlp({
    endpoint: telemetry.endpoint,
    headers,
    timeoutMs: telemetry.timeoutMs,
    resource: {
      'service.name': 'sallyport',
      'service.version': version,
      'service.instance.id': randomUUID(),
      ...telemetry.resource,
    },
    logger,
    instruments: () => ({
      exported(signal, result) {
        last.set(signal, result);
        instruments?.exported(signal, result);
      },
    }),
  });
  const { metrics, traces: asked } = telemetry;
  const made = createInstruments(
    metrics === undefined
      ? { version }
      : { version, push: { resource: otlp.resource, reader: (from) => otlp.metricReader(from, metrics.everyMs) } },
  );
  instruments = made;
  const traces =
    asked === undefined
      ? undefined
      : otlp.traces({
          ratio: asked.sample,
          trustParent: asked.trustParent,
          parentPerSecond: asked.parentPerSecond,
          random: Math.random,
        });
  return {
    instruments: made,
    traces,
    collector: () => lastExports(last),
    async close() {
      await Promise.all([traces?.close(), otlp.within(made.close())]);
    },
  };
}

function lastExports(last: ReadonlyMap<string, 'sent' | 'failed'>): ReturnType<Telemetry['collector']> {
  if (last.size === 0) return undefined;
  const failed = [...last].filter(([, result]) => result === 'failed').map(([signal]) => signal);
  return failed.length === 0 ? { up: true } : { up: false, reason: `it does not take ${failed.join(' and ')}` };
}

async function resolveHeaders({ headers }: TelemetryConfig, resolver: Resolver): Promise<Record<string, string>> {
  const resolved: Record<string, string> = {};
  for (const [name, source] of Object.entries(headers)) {
    try {
      resolved[name] = await resolver.resolve(source);
    } catch (error) {
      if (!(error instanceof UnresolvedReferenceError)) throw error;
      const message = `The header ${name} under telemetry.otlp is not available: ${error.message}`;
      throw new TelemetryConfigError(message, { cause: error });
    }
  }
  return resolved;
}
