/** `docs/reference/metrics.md`, made from the list that the instruments are made from. */

import { METRICS, prometheusName, type MetricDefinition } from './metric-names.ts';

export const METRICS_FILE = 'docs/reference/metrics.md';

const HEAD = `# Metrics

Written by \`npm run schema\` from the list that the instruments are made from. How to scrape or receive them:
[docs/telemetry.md](../telemetry.md).

The first name is the one on the Prometheus endpoint, the second the one over OTLP. On the Prometheus endpoint the dots of
attribute names are underscores, and a histogram has the usual \`_bucket\`, \`_sum\` and \`_count\`; their buckets end at 0.01, 0.02,
0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120 and 300 seconds. Attributes with a question mark are not on every series.
`;

export function metricsPage(): string {
  const all: readonly MetricDefinition[] = Object.values(METRICS);
  const conventional = all.filter(({ name }) => name.startsWith('mcp.'));
  const own = all.filter(({ name }) => !name.startsWith('mcp.'));
  const section = (title: string, metrics: readonly MetricDefinition[]): string =>
    `\n## ${title}\n\n${metrics.map(entry).join('\n')}`;
  return [HEAD, section('Of the semantic conventions for MCP', conventional), section('Of Sallyport', own)].join('');
}

const UNITS = { s: 'seconds', By: 'bytes' } as const;

function entry(metric: MetricDefinition): string {
  const { name, kind, unit, attributes, meaning } = metric;
  const what = unit === undefined ? kind : `${kind}, ${UNITS[unit]}`;
  const labels = attributes.length === 0 ? '' : ` Attributes: ${attributes.map((one) => `\`${one}\``).join(', ')}.`;
  return `* \`${prometheusName(metric)}\` (\`${name}\`; ${what}): ${meaning}${labels}\n`;
}
