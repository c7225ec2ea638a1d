/** What a dashboard is made of, without Grafana's own words: those are added in `grafana.ts`. */

export type Threshold = readonly [from: number | null, colour: 'green' | 'yellow' | 'orange' | 'red' | 'blue' | 'text'];

export type Query = {
  readonly expr: string;
  /** `{{label}}` stands for the value of a label. */
  readonly legend?: string;
};

export type Panel = {
  readonly title: string;
  /** What it shows, and what to make of it. */
  readonly description: string;
  readonly kind: 'graph' | 'number' | 'table' | 'states';
  readonly queries: readonly Query[];
  /** A unit of Grafana: `s`, `bytes`, `percentunit`, `reqps`, `short`, `none`. */
  readonly unit: string;
  /** Of 24. */
  readonly width: number;
  readonly height?: number;
  readonly thresholds?: readonly Threshold[];
  readonly max?: number;
  readonly stacked?: boolean;
  /** Words for numbers: `{ 1: ['up', 'green'] }`. */
  readonly words?: Readonly<Record<string, readonly [text: string, colour: string]>>;
  /** Columns of a table that are shown, under which name; everything else is left out. */
  readonly columns?: Readonly<Record<string, string>>;
  /** Alerts whose pages the panel links to. */
  readonly alerts?: readonly string[];
};

export type PanelRow = { readonly title: string; readonly panels: readonly Panel[] };

export type Variable = 'server' | 'tool';

export type Dashboard = {
  /** The name of the file, and of the dashboard in its address. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Beside `datasource`, `job` and `instance`, which all have. */
  readonly variables: readonly Variable[];
  readonly rows: readonly PanelRow[];
};

/** The chosen replicas. */
export const HERE = 'job=~"$job",instance=~"$instance"';
/** Aggregated over replicas: recording rules know no instance. */
export const JOB = 'job=~"$job"';
export const SERVER = 'sallyport_server=~"$server"';
export const TOOL = 'gen_ai_tool_name=~"$tool"';

/** A histogram's quantiles, a line each. */
export const quantiles = (metric: string, selector: string): readonly Query[] =>
  [0.5, 0.95, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${metric}_bucket{${selector}}[$__rate_interval])))`,
    legend: `p${quantile * 100}`,
  }));

export const GOOD_TO_BAD = (warn: number, bad: number): readonly Threshold[] => [
  [null, 'green'],
  [warn, 'yellow'],
  [bad, 'red'],
];
