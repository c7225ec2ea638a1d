/** Every metric and every label that alerts and dashboards speak of is told by a running gateway. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { DASHBOARDS, groupedBy, RULES, usedBy, withoutGrafana } from './rules.ts';
import { scrape, startBusyGateway, type BusyGateway, type Scraped } from './scrape.ts';

/** What this gateway, which is well and asks nobody, need not tell: when it is told, and its labels. */
const ONLY_THEN: Readonly<Record<string, { readonly when: string; readonly labels: readonly string[] }>> = {
  sallyport_approvals_decided_total: { when: 'somebody decided on an approval', labels: ['verdict', 'how'] },
  sallyport_telemetry_exports_total: { when: 'a collector is configured', labels: ['signal', 'result'] },
  sallyport_grants: { when: 'a person has consented to a server', labels: ['server', 'status'] },
  sallyport_audit_failing: { when: 'the record refuses or has refused to be written', labels: [] },
  sallyport_audit_sink_lag_seconds: { when: 'a sink is configured', labels: ['sink'] },
  sallyport_audit_sink_lag_records: { when: 'a sink is configured', labels: ['sink'] },
  sallyport_audit_sink_failures_total: { when: 'a sink is configured', labels: ['sink'] },
  sallyport_audit_sink_rejected_total: { when: 'a sink is configured', labels: ['sink'] },
};

/** Prometheus's own. */
const OF_PROMETHEUS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  ALERTS: ['alertname', 'alertstate', 'severity'],
};

/** Prometheus adds these to everything that it collects. */
const OF_TARGETS = ['job', 'instance'];

let busy: BusyGateway;
let told: Scraped;
beforeAll(async () => {
  busy = await startBusyGateway();
  told = await scrape(busy.target);
}, 60_000);
afterAll(() => busy.close());

const EXPRESSIONS = [
  ...RULES.map(({ record, alert, expr }) => ({ of: alert ?? record ?? '', expr })),
  ...DASHBOARDS.flatMap(({ file, dashboard }) => [
    ...dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ of: `${file}: ${title}`, expr: withoutGrafana(expr) })),
    ),
    ...dashboard.templating.list.flatMap(({ name, definition }) =>
      definition === undefined ? [] : [{ of: `${file}: $${name}`, expr: withoutGrafana(definition) }],
    ),
  ]),
];

const recorded = new Map(RULES.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, expr] as const])));

/** Undefined when nobody tells it. */
function labelsOf(metric: string): readonly string[] | undefined {
  const rule = recorded.get(metric);
  if (rule !== undefined) return [...groupedBy(rule), ...usedBy(rule).flatMap((used) => labelsOfRecord(used.metric))];
  const known = told.get(metric) ?? ONLY_THEN[metric]?.labels ?? OF_PROMETHEUS[metric];
  return known === undefined ? undefined : [...known, ...OF_TARGETS];
}

const labelsOfRecord = (metric: string): readonly string[] => (recorded.has(metric) ? (labelsOf(metric) ?? []) : []);

describe('what alerts and dashboards speak of', () => {
  it('is told by a running gateway, name by name', () => {
    const unknown = EXPRESSIONS.flatMap(({ of, expr }) =>
      usedBy(expr).flatMap(({ metric }) => (labelsOf(metric) === undefined ? [`${of}: ${metric}`] : [])),
    );
    expect(unknown).toEqual([]);
  });

  it('has the labels that it is chosen by', () => {
    const unknown = EXPRESSIONS.flatMap(({ of, expr }) =>
      usedBy(expr).flatMap(({ metric, labels }) => {
        const known = labelsOf(metric) ?? [];
        return labels.filter((label) => !known.includes(label)).map((label) => `${of}: ${metric}{${label}}`);
      }),
    );
    expect(unknown).toEqual([]);
  });

  it('has the labels that it is grouped and joined by', () => {
    const unknown = EXPRESSIONS.flatMap(({ of, expr }) => {
      const known = usedBy(expr).flatMap(({ metric }) => labelsOf(metric) ?? []);
      return groupedBy(expr)
        .filter((label) => !known.includes(label))
        .map((label) => `${of}: ${label}`);
    });
    expect(unknown).toEqual([]);
  });

  it('is excused from being told only where something speaks of it', () => {
    const used = new Set(EXPRESSIONS.flatMap(({ expr }) => usedBy(expr).map(({ metric }) => metric)));
    expect(Object.keys(ONLY_THEN).filter((metric) => !used.has(metric))).toEqual([]);
  });
});
