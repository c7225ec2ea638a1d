/**
 * Prometheus' text format with the unit in the name (`…_seconds`, `…_bytes`), as Prometheus' naming rules and everyone's
 * dashboards have it; the exporter's own serializer leaves the unit out.
 */

import { PrometheusSerializer, type PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';

const UNIT_NAMES: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes' };

const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

/** Collects once, and writes it down. */
export async function prometheusText(reader: PrometheusExporter): Promise<string> {
  const { resourceMetrics } = await reader.collect();
  return serializer.serialize(withUnits(resourceMetrics));
}

const withUnits = ({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics => ({
  resource,
  scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({ scope, metrics: metrics.map(withUnit) })),
});

function withUnit(metric: MetricData): MetricData {
  const { name, unit } = metric.descriptor;
  const unitName = UNIT_NAMES[unit];
  if (unitName === undefined) return metric;
  return { ...metric, descriptor: { ...metric.descriptor, name: `${name}.${unitName}`, unit: unitName } };
}
