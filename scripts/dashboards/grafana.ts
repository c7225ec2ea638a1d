/** From what a dashboard shows to Grafana's JSON: one style for all, so that whoever knows one can read the others. */

import type { Dashboard, Panel, Threshold, Variable } from './model.ts';

/** Of Grafana 11; 10 reads it as well. */
const SCHEMA_VERSION = 39;
const WIDTH = 24;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

type Json = Readonly<Record<string, unknown>>;

export function grafanaDashboard({ name, title, description, variables, rows }: Dashboard): Json {
  return {
    uid: `sallyport-${name}`,
    title: `Sallyport / ${title}`,
    description,
    tags: ['sallyport'],
    schemaVersion: SCHEMA_VERSION,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    time: { from: 'now-6h', to: 'now' },
    refresh: '30s',
    templating: { list: [...COMMON_VARIABLES, ...variables.map((one) => VARIABLES[one]), DOCS] },
    annotations: { list: [firingAlerts()] },
    links: [
      {
        type: 'dashboards',
        title: 'Sallyport',
        tags: ['sallyport'],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
      },
      { type: 'link', title: 'Runbooks', url: '${docs}/docs/operations.md', icon: 'doc', targetBlank: true },
    ],
    panels: place(rows),
  };
}

const query = (name: string, label: string, of: string): Json => ({
  name,
  label,
  type: 'query',
  datasource: DATASOURCE,
  definition: of,
  query: { query: of, refId: name },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { text: 'All', value: '$__all' },
});

const COMMON_VARIABLES: readonly Json[] = [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: {} },
  query('job', 'Job', 'label_values(sallyport_build_info, job)'),
  query('instance', 'Gateway', 'label_values(sallyport_build_info{job=~"$job"}, instance)'),
];

const VARIABLES: Readonly<Record<Variable, Json>> = {
  server: query('server', 'Server', 'label_values(sallyport_upstream_state{job=~"$job"}, server)'),
  tool: query(
    'tool',
    'Tool',
    'label_values(mcp_client_operation_duration_seconds_count{job=~"$job",sallyport_server=~"$server"}, gen_ai_tool_name)',
  ),
};

/** Where the pages are kept that panels link to: set it once, as in the alert rules. */
const DOCS: Json = {
  name: 'docs',
  label: 'Docs',
  type: 'constant',
  query: 'https://example.com/sallyport',
  hide: 2,
};

function firingAlerts(): Json {
  return {
    name: 'Alerts',
    datasource: DATASOURCE,
    enable: true,
    iconColor: 'red',
    expr: 'ALERTS{alertname=~"Sallyport.*",alertstate="firing",severity="critical"}',
    titleFormat: '{{alertname}}',
    step: '60s',
  };
}

const ROW_HEIGHT = 1;
const HEIGHTS: Readonly<Record<Panel['kind'], number>> = { number: 4, graph: 8, table: 8, states: 7 };

/** From left to right, a new line where the next one has no room. */
function place(rows: Dashboard['rows']): readonly Json[] {
  const placed: Json[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    });
    y += ROW_HEIGHT;
    let x = 0;
    let lineHeight = 0;
    for (const panel of panels) {
      const height = panel.height ?? HEIGHTS[panel.kind];
      if (x + panel.width > WIDTH) {
        y += lineHeight;
        x = 0;
        lineHeight = 0;
      }
      placed.push(grafanaPanel(panel, { id: placed.length + 1, x, y, height }));
      x += panel.width;
      lineHeight = Math.max(lineHeight, height);
    }
    y += lineHeight;
  }
  return placed;
}

type Place = { readonly id: number; readonly x: number; readonly y: number; readonly height: number };

const TYPES: Readonly<Record<Panel['kind'], string>> = {
  graph: 'timeseries',
  number: 'stat',
  table: 'table',
  states: 'state-timeline',
};

function grafanaPanel(panel: Panel, { id, x, y, height }: Place): Json {
  const { kind, title, description, queries, width, alerts = [] } = panel;
  const instant = kind === 'table' || kind === 'number';
  return {
    id,
    type: TYPES[kind],
    title,
    description,
    datasource: DATASOURCE,
    gridPos: { x, y, w: width, h: height },
    links: alerts.map((alert) => ({
      title: `Runbook: ${alert}`,
      url: `\${docs}/docs/operations.md#${alert.toLowerCase()}`,
      targetBlank: true,
    })),
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCodePoint(0x41 + index),
      datasource: DATASOURCE,
      expr,
      ...(legend === undefined ? {} : { legendFormat: legend }),
      ...(instant ? { instant: true, range: false } : { range: true }),
      ...(kind === 'table' ? { format: 'table' } : {}),
    })),
    fieldConfig: { defaults: fieldDefaults(panel), overrides: [] },
    options: optionsOf(panel),
    ...(panel.columns === undefined ? {} : { transformations: columnsOf(panel.columns) }),
  };
}

function fieldDefaults({ unit, thresholds = [[null, 'green']], max, words, kind, stacked }: Panel): Json {
  return {
    unit,
    min: unit === 's' && kind === 'table' ? undefined : 0,
    ...(max === undefined ? {} : { max }),
    thresholds: { mode: 'absolute', steps: thresholds.map(([value, color]: Threshold) => ({ value, color })) },
    color: { mode: kind === 'graph' ? 'palette-classic' : 'thresholds' },
    mappings: words === undefined ? [] : [{ type: 'value', options: wordsOf(words) }],
    noValue: kind === 'number' ? '0' : '-',
    ...(kind === 'graph' ? { custom: lineStyle(stacked === true) } : {}),
    ...(kind === 'states' ? { custom: { fillOpacity: 80, lineWidth: 0 } } : {}),
    ...(kind === 'table' ? { custom: { cellOptions: { type: 'auto' }, align: 'auto' } } : {}),
  };
}

const wordsOf = (words: NonNullable<Panel['words']>): Json =>
  Object.fromEntries(Object.entries(words).map(([value, [text, color]], index) => [value, { text, color, index }]));

const lineStyle = (stacked: boolean): Json => ({
  drawStyle: 'line',
  lineWidth: 1,
  fillOpacity: stacked ? 40 : 8,
  showPoints: 'never',
  spanNulls: false,
  stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
  thresholdsStyle: { mode: 'dashed' },
});

function optionsOf({ kind }: Panel): Json {
  switch (kind) {
    case 'graph':
      return {
        legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], showLegend: true },
        tooltip: { mode: 'multi', sort: 'desc' },
      };
    case 'number':
      return {
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        colorMode: 'value',
        graphMode: 'none',
        textMode: 'auto',
        justifyMode: 'auto',
      };
    case 'table':
      return { showHeader: true, cellHeight: 'sm', footer: { show: false } };
    default:
      return {
        mergeValues: true,
        showValue: 'never',
        rowHeight: 0.8,
        legend: { showLegend: true, placement: 'bottom' },
      };
  }
}

/** Several queries become columns of one table, joined by their labels. */
function columnsOf(columns: NonNullable<Panel['columns']>): readonly Json[] {
  return [
    { id: 'merge', options: {} },
    { id: 'filterFieldsByName', options: { include: { names: Object.keys(columns) } } },
    {
      id: 'organize',
      options: {
        indexByName: Object.fromEntries(Object.keys(columns).map((name, index) => [name, index])),
        renameByName: columns,
      },
    },
  ];
}
