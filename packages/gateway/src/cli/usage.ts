/** `sallyport usage`: what the tools were used for in a month, and what it was worth; from the record. */

import { recordLines } from '../audit/file-audit-reader.ts';
import { recordFiles } from '../audit/record-files.ts';
import { createUsageCount, type UsageReport, type UsageRow } from '../audit/usage.ts';
import type { Distinct } from '../audit/distinct.ts';
import type { UsageBy } from '../model/administration.ts';
import { monthOf, parseMonth, type Month } from '../model/month.ts';
import { auditFile } from './audit-query.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { csv } from './csv.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { table, type Terminal } from './terminal.ts';

export type UsageOptions = {
  /** Default: the audit file of the configuration. */
  readonly file?: string;
  readonly config: string;
  /** Default: the present one. */
  readonly month?: string;
  readonly by: string;
  readonly tenant?: string;
  readonly csv: boolean;
  readonly json: boolean;
};

export async function usage(context: CommandContext, options: UsageOptions): Promise<ExitCode> {
  const { terminal } = context;
  const month = monthFrom(options.month ?? monthOf(Date.now()));
  const by = byFrom(options.by);
  const report = await reportOf(context, options, { month, by });
  if (options.json) terminal.out(JSON.stringify(report, null, 2));
  else if (options.csv) terminal.out(csvOf(report).trimEnd());
  else print(report, terminal);
  return EXIT.done;
}

type Asked = { readonly month: Month; readonly by: UsageBy };

async function reportOf(context: CommandContext, options: UsageOptions, { month, by }: Asked): Promise<UsageReport> {
  const { terminal } = context;
  const { tenant } = options;
  const file = auditFile(context, options);
  try {
    if ((await recordFiles(file)).length === 0)
      throw new CommandError(`There is no record in ${file}.`, EXIT.failed, HINT);
    const count = createUsageCount({ month, by, ...(tenant === undefined ? {} : { tenant }) });
    const lines = recordLines(file, month, (read, total) =>
      terminal.progress(`${month.name}: ${progress(read, total)}`),
    );
    for await (const line of lines) count.take(line);
    terminal.progress('');
    return count.report();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new CommandError(`${file} cannot be read (${String(error.code)}).`, EXIT.failed, HINT, error);
  }
}

const HINT = `The audit file stands under "audit" in the configuration. Name it: ${TYPED} usage data/audit.jsonl`;

const progress = (read: number, total: number): string =>
  `${Math.floor((100 * read) / Math.max(1, total))} % of ${bytesText(total)}`;

function monthFrom(text: string): Month {
  const month = parseMonth(text);
  if (month.ok) return month.value;
  throw new CommandError(`"${text}" ${month.error}.`, EXIT.usage);
}

function byFrom(text: string): UsageBy {
  if (text === 'server' || text === 'tool' || text === 'user') return text;
  throw new CommandError(`"${text}" is nothing to count by.`, EXIT.usage, 'Count by server, tool or user.');
}

/** docs/usage.md names them. */
const CSV_HEAD = [
  'month',
  'by',
  'name',
  'invocations',
  'errors',
  'error_rate',
  'refused',
  'users',
  'clients',
  'p50_ms',
  'p95_ms',
  'p99_ms',
  'result_bytes',
  'result_tokens',
  'minutes_saved',
];

export const csvOf = ({ month, by, rows, total }: UsageReport): string =>
  csv([
    CSV_HEAD,
    ...[...rows.map((row) => [by, row] as const), ['total', total] as const].map(([of, row]) => [
      month,
      of,
      row.name,
      row.invocations,
      row.errors,
      row.errorRate,
      row.refused,
      row.users.count,
      row.clients.count,
      row.p50Ms ?? '',
      row.p95Ms ?? '',
      row.p99Ms ?? '',
      row.resultBytes,
      row.resultTokens,
      row.minutesSaved,
    ]),
  ]);

const NUMBERS = new Set([1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

function print({ month, by, tenant, rows, total }: UsageReport, terminal: Terminal): void {
  terminal.out(`Usage in ${month}${tenant === undefined ? '' : ` of ${tenant}`}, months in UTC`);
  if (rows.length === 0) {
    terminal.out('No tool was called.');
    return;
  }
  const head = [
    by,
    'calls',
    '',
    'errors',
    'refused',
    'users',
    'clients',
    'p50',
    'p95',
    'p99',
    'returned',
    'tokens',
    'saved',
  ];
  const most = rows[0]?.invocations ?? 0;
  const lines = table(
    [head, ...rows.map((row) => cellsOf(row, bar(row.invocations, most))), cellsOf(total, '')],
    NUMBERS,
  );
  terminal.out('');
  for (const [index, line] of lines.entries()) {
    const painted = index === 0 ? terminal.dim(line) : index === lines.length - 1 ? terminal.bold(line) : line;
    terminal.out(painted);
  }
  terminal.out('');
  terminal.out(
    terminal.dim('Refused calls are not among the calls. Tokens are estimated; saved is as the tools’ owners state.'),
  );
}

const cellsOf = (row: UsageRow, drawn: string): string[] => [
  row.name,
  grouped(row.invocations),
  drawn,
  `${(100 * row.errorRate).toFixed(1)} %`,
  grouped(row.refused),
  distinctText(row.users),
  distinctText(row.clients),
  msText(row.p50Ms),
  msText(row.p95Ms),
  msText(row.p99Ms),
  bytesText(row.resultBytes),
  grouped(row.resultTokens),
  minutesText(row.minutesSaved),
];

const BAR_CELLS = 10;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function bar(value: number, most: number): string {
  const eighths = most === 0 ? 0 : Math.round((8 * BAR_CELLS * value) / most);
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

/** `12 345 678`: the same in every language. */
const grouped = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ' ');

const distinctText = ({ count, exact }: Distinct): string => (exact ? grouped(count) : `${grouped(count)}+`);

const msText = (ms: number | undefined): string =>
  ms === undefined ? '-' : ms < 10_000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

const minutesText = (minutes: number): string =>
  minutes === 0 ? '-' : minutes < 120 ? `${Number(minutes.toFixed(1))} min` : `${grouped(Math.round(minutes / 60))} h`;
