import { ValueType, type Attributes } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';
import { describe, expect, it } from 'vitest';

import { prometheusText } from './prometheus-text.ts';

const TIME = { startTime: [0, 0], endTime: [1, 0] } satisfies Record<string, [number, number]>;

const described = (name: string, unit = '', description = 'What it is.'): MetricData['descriptor'] => ({
  name,
  unit,
  description,
  valueType: ValueType.DOUBLE,
});

const common = { aggregationTemporality: AggregationTemporality.CUMULATIVE };

function sum(name: string, value: number, attributes: Attributes = {}, isMonotonic = true): MetricData {
  const dataPoints = [{ ...TIME, attributes, value }];
  return { ...common, descriptor: described(name), dataPointType: DataPointType.SUM, isMonotonic, dataPoints };
}

const textOf = async (...metrics: MetricData[]): Promise<string> => {
  const bytes = await prometheusText({
    collect: () =>
      Promise.resolve({
        errors: [],
        resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope: { name: 'x' }, metrics }] },
      }),
  });
  return Buffer.concat(bytes).toString();
};

describe("Prometheus' text", () => {
  it('says what a metric is, and has its unit in the name', async () => {
    const gauge: MetricData = {
      ...common,
      descriptor: described('sallyport.process.resident_memory', 'By', 'Two\nlines \\ one backslash.'),
      dataPointType: DataPointType.GAUGE,
      dataPoints: [{ ...TIME, attributes: {}, value: 4096 }],
    };
    expect(await textOf(gauge)).toBe(
      '# HELP sallyport_process_resident_memory_bytes Two\\nlines \\\\ one backslash.\n' +
        '# TYPE sallyport_process_resident_memory_bytes gauge\n' +
        'sallyport_process_resident_memory_bytes 4096\n',
    );
  });

  it('marks as a counter what only grows', async () => {
    expect(await textOf(sum('a.b', 1), sum('c', 2, {}, false))).toBe(
      '# HELP a_b_total What it is.\n# TYPE a_b_total counter\na_b_total 1\n' +
        '# HELP c What it is.\n# TYPE c gauge\nc 2\n',
    );
  });

  it('lets no label break out of its quotes', async () => {
    const text = await textOf(sum('a', 1, { 'server.name': 'x"} 1\nevil 2\\' }));
    expect(text.split('\n').at(-2)).toBe('a_total{server_name="x\\"} 1\\nevil 2\\\\"} 1');
  });

  it('leaves out what has no series', async () => {
    expect(await textOf({ ...sum('a', 1), dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: [] })).toBe(
      '',
    );
  });

  it.each([
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [Number.NaN, 'NaN'],
    [0.1, '0.1'],
  ])('writes %s as %s', async (value, written) => {
    expect((await textOf(sum('a', value))).endsWith(`a_total ${written}\n`)).toBe(true);
  });

  it('lets others have their turn between the series of a long histogram', async () => {
    const dataPoints = Array.from({ length: 400 }, (_, at) => ({
      ...TIME,
      attributes: { tool: `tool-${at}` },
      value: { buckets: { boundaries: [1, 2], counts: [1, 0, 2] }, sum: 7, count: 3 },
    }));
    let turns = 0;
    const state = { over: false };
    const others = async (): Promise<void> => {
      while (!state.over) {
        turns += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const busy = others();
    const text = await textOf({
      ...common,
      descriptor: described('d', 's'),
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints,
    });
    state.over = true;
    await busy;
    expect(turns).toBeGreaterThanOrEqual(8);
    expect(text.split('\n').slice(2, 7)).toEqual([
      'd_seconds_count{tool="tool-0"} 3',
      'd_seconds_sum{tool="tool-0"} 7',
      'd_seconds_bucket{tool="tool-0",le="1"} 1',
      'd_seconds_bucket{tool="tool-0",le="2"} 1',
      'd_seconds_bucket{tool="tool-0",le="+Inf"} 3',
    ]);
  });
});
