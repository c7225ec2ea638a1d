/** The rules, their tests and their dashboards as data, and which metrics and labels a PromQL expression speaks of. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { parseConfigDocument } from '../../packages/gateway/src/config/document.ts';
import { ROOT } from '../source-tree.ts';
import { PROMETHEUS_FOLDER, RULE_FILES } from './promtool.ts';

export type Rule = {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

type RuleFile = { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] };

export type RuleTest = {
  readonly name: string;
  readonly promql_expr_test: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
};

const yaml = (file: string): unknown => parseConfigDocument(readFileSync(file, 'utf8')).value;

const rulesOf = (file: string): readonly Rule[] => (yaml(file) as RuleFile).groups.flatMap(({ rules }) => rules);

export const RULES: readonly Rule[] = RULE_FILES.flatMap(rulesOf);
export const ALERTS = RULES.filter((rule) => rule.alert !== undefined);

const TESTS = path.join(PROMETHEUS_FOLDER, 'tests');
export const TEST_FILES = readdirSync(TESTS).map((name) => path.join(TESTS, name));
export const RULE_TESTS: readonly RuleTest[] = TEST_FILES.flatMap(
  (file) => (yaml(file) as { tests: readonly RuleTest[] }).tests,
);

export type DashboardPanel = {
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly links?: readonly { readonly url: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
};

export type DashboardJson = {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly DashboardPanel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};

const GRAFANA = path.join(ROOT, 'deploy', 'grafana');
export const DASHBOARD_FILES: ReadonlyMap<string, string> = new Map(
  readdirSync(GRAFANA)
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name, readFileSync(path.join(GRAFANA, name), 'utf8')]),
);

/** As Prometheus would see it: Grafana's own variables are filled in. */
export const withoutGrafana = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '5m')
    .replaceAll('$__range', '1h')
    .replaceAll(/\$(?:job|instance|server|tool)\b/gu, '.*');

export const DASHBOARDS = [...DASHBOARD_FILES].map(([file, text]) => ({
  file,
  dashboard: JSON.parse(text) as DashboardJson,
}));

export type Used = { readonly metric: string; readonly labels: readonly string[] };

const SELECTOR = /\b(?<metric>(?:sallyport|mcp)[_:][a-z0-9_:]+|up|ALERTS)\b(?:\{(?<matchers>[^}]*)\})?/gu;
const MATCHER = /(?<label>[a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"/gu;
const CLAUSE = /\b(?:by|on|group_left)\s*\((?<labels>[^)]*)\)/gu;

/** Every metric of an expression with the labels it is chosen by. */
export function usedBy(expr: string): readonly Used[] {
  const bare = expr.replaceAll(/\b(?:by|on|group_left)\s*\([^)]*\)/gu, ' ');
  return [...bare.matchAll(SELECTOR)].map(({ groups }) => ({
    metric: groups?.['metric'] ?? '',
    labels: [...(groups?.['matchers'] ?? '').matchAll(MATCHER)].map((match) => match.groups?.['label'] ?? ''),
  }));
}

/** Labels that it groups or joins by. */
export const groupedBy = (expr: string): readonly string[] =>
  [...expr.matchAll(CLAUSE)].flatMap(({ groups }) =>
    (groups?.['labels'] ?? '').split(',').flatMap((label) => (label.trim() === '' ? [] : [label.trim()])),
  );
