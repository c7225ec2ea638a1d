/** The dashboards: as their description makes them, readable by Grafana, with expressions that Prometheus understands. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { dashboardFiles } from '../../scripts/dashboards/all.ts';
import { PROMTOOL, promtool } from './promtool.ts';
import { ALERTS, DASHBOARD_FILES, DASHBOARDS, RULES, usedBy, withoutGrafana } from './rules.ts';

const expressions = DASHBOARDS.flatMap(({ file, dashboard }) =>
  dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ file, title, expr }))),
);

describe('the dashboards', () => {
  it('are what scripts/dashboards makes (npm run dashboards)', () => {
    expect(Object.fromEntries(DASHBOARD_FILES)).toEqual(Object.fromEntries(dashboardFiles()));
  });

  it.each(DASHBOARDS)('in $file can be read, and each panel says what it shows', ({ file, dashboard }) => {
    expect(dashboard.schemaVersion).toBe(39);
    expect(dashboard.uid).toBe(`sallyport-${path.basename(file, '.json')}`);
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['datasource', 'job', 'instance', 'docs']),
    );
    const alerts = new Set(ALERTS.map(({ alert = '' }) => alert.toLowerCase()));
    for (const { title, type, description = '', targets = [], links = [] } of dashboard.panels) {
      if (type === 'row') continue;
      expect(description, title).toMatch(/^.{10,}\.$/u);
      expect(targets.length, title).toBeGreaterThan(0);
      for (const { url } of links) expect(alerts, title).toContain(url.split('#')[1]);
    }
  });

  it.each(DASHBOARDS)('in $file have no panel on top of another, and none beyond the edge', ({ dashboard }) => {
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.has(`${x}/${y}`), title).toBe(false);
          taken.add(`${x}/${y}`);
        }
      }
    }
  });

  it('use no recorded series that no rule records', () => {
    const recorded = new Set(RULES.flatMap(({ record }) => record ?? []));
    const used = [...expressions, ...RULES].flatMap(({ expr }) => usedBy(expr)).map(({ metric }) => metric);
    expect(used.filter((metric) => metric.includes(':') && !recorded.has(metric))).toEqual([]);
  });
});

describe.skipIf(PROMTOOL === undefined)('for promtool', () => {
  it('every expression of every panel is one', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-promql-'));
    const rules = expressions.map(
      ({ expr }, index) => `      - { record: "e:${index}", expr: ${JSON.stringify(withoutGrafana(expr))} }`,
    );
    const file = path.join(folder, 'rules.yaml');
    writeFileSync(file, ['groups:', '  - name: all', '    rules:', ...rules].join('\n'));
    const { ok, output } = promtool('check', 'rules', file);
    rmSync(folder, { recursive: true });
    expect(ok, output).toBe(true);
  });
});
