/** Settings of `telemetry`: where traces and metrics are sent. Every description is read by operators. */

import * as z from 'zod';

import { duration, name, value } from './schema-words.ts';

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

const otlp = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/ })
      .describe('The base URL of an OpenTelemetry collector; /v1/traces and /v1/metrics are added.'),
    headers: z
      .record(z.string().regex(HEADER_NAME), value)
      .default({})
      .describe('Sent with every batch. Secrets as env:NAME or file:/path, also after a scheme: "Bearer env:NAME".'),
    timeout: duration.prefault('10s').describe('For one batch to be taken.'),
    resource: z
      .record(z.string().regex(/^[a-z][a-zA-Z0-9_.]{0,99}$/), name)
      .default({})
      .describe('What else stands on everything that is sent: `deployment.environment.name: production`.'),
  })
  .describe('OTLP over HTTP, with JSON.');

/** Each is a collection of everything. */
const interval = duration.refine((ms) => ms >= 1000, { message: 'is shorter than a second.' });

const traces = z
  .strictObject({
    sample: z
      .union([z.literal('off'), z.number().min(0).max(1)])
      .default(0.01)
      .describe('The share of requests that are traced: 0.01 is one in 100. Off: none, whatever callers say.'),
    trustParent: z
      .boolean()
      .default(false)
      .describe(
        'Callers decide: who says that a trace is sampled is traced, who says that it is not is not. For callers that are ' +
          'all your own.',
      ),
    parentPerSecond: z
      .number()
      .min(0)
      .max(100_000)
      .default(50)
      .describe(
        'Without `trustParent`: of the requests that say sampled, so many in a second are traced beside `sample`.',
      ),
  })
  .describe('Traces of requests.');

export const telemetrySchema = z
  .strictObject({
    otlp: otlp.optional(),
    traces: traces.prefault({}),
    metrics: z
      .strictObject({
        every: z
          .union([z.literal('off'), interval])
          .prefault('60s')
          .describe('How often, or off.'),
      })
      .prefault({})
      .describe('The metrics of the operations listener are sent to `otlp` as well.'),
  })
  .prefault({})
  .describe('Traces and metrics to a collector. Without `otlp` nothing is sent, and nothing is traced.');
