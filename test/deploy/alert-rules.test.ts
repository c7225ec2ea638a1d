/** The alert rules: sound for Prometheus, tested case by case, and each with a page for whoever is woken by it. */

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { ROOT } from '../source-tree.ts';
import { PROMTOOL, promtool, RULE_FILES } from './promtool.ts';
import { ALERTS, RULE_TESTS, RULES, TEST_FILES } from './rules.ts';

const names = ALERTS.map(({ alert }) => alert ?? '');

/** As GitHub and most others make them of headings. */
const anchors = new Set(
  [...readFileSync(path.join(ROOT, 'docs', 'operations.md'), 'utf8').matchAll(/^#{1,6} (?<title>.+)$/gmu)].map(
    ({ groups }) =>
      (groups?.['title'] ?? '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
  ),
);

describe('the alert rules', () => {
  it('have names of their own', () => {
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !name.startsWith('Sallyport'))).toEqual([]);
  });

  it.each(ALERTS)('say how urgent $alert is, what it is, what a person sees, and where to read on', (rule) => {
    const { alert = '', labels = {}, annotations = {} } = rule;
    expect(labels['severity']).toMatch(
      /^(?:critical|warning|\{\{.*critical.*warning.*\}\}|\{\{.*warning.*critical.*\}\})$/u,
    );
    expect(annotations['summary']).toMatch(/^.{10,}\.$/u);
    expect(annotations['description']).toMatch(/^.{40,}\.$/u);
    expect(annotations['runbook_url']).toBe(`https://example.com/sallyport/docs/operations.md#${alert.toLowerCase()}`);
    expect(anchors, `docs/operations.md has no heading "${alert}"`).toContain(alert.toLowerCase());
  });

  it.each(names)('have a test in which %s fires, and one in which it must not', (name) => {
    const tests = RULE_TESTS.filter((test) => test.name.startsWith(`${name}:`)).flatMap(
      (test) => test.promql_expr_test,
    );
    const ofThis = tests.filter(({ expr }) => expr.includes(`alertname="${name}"`));
    expect(
      ofThis.some(({ exp_samples }) => exp_samples.length > 0),
      'fires',
    ).toBe(true);
    expect(
      ofThis.some(({ exp_samples }) => exp_samples.length === 0),
      'must not',
    ).toBe(true);
  });

  it('are tested under names that exist', () => {
    expect(RULE_TESTS.map(({ name }) => name.split(':')[0]).filter((name) => !names.includes(name ?? ''))).toEqual([]);
  });

  it('compute every recorded series that they and the dashboards use', () => {
    const recorded = RULES.flatMap(({ record }) => record ?? []);
    expect(new Set(recorded).size).toBe(recorded.length);
  });
});

describe.skipIf(PROMTOOL === undefined)('for promtool', () => {
  it('the rules are sound', () => {
    const { ok, output } = promtool('check', 'rules', ...RULE_FILES);
    expect(ok, output).toBe(true);
  });

  it.each(TEST_FILES.map((file) => [path.basename(file), file]))(
    'the cases of %s come out as they are written',
    (_, file) => {
      const { ok, output } = promtool('test', 'rules', file);
      expect(ok, output).toBe(true);
    },
    150_000,
  );
});
