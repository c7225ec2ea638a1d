/** `sallyport audit search`: what did they do, and why; from the record, in a minute. */

import { recordLines } from '../audit/record-lines.ts';
import { createSearch } from '../audit/search.ts';
import type { Found } from '../audit/search.ts';
import { auditFile, limitOf, queryOf, unreadable, type AuditFilters, type RecordFile } from './audit-query.ts';
import { rowsOf } from './audit-rows.ts';
import { printRun } from './audit-run.ts';
import { TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

export type AuditSearchOptions = AuditFilters &
  RecordFile & {
    readonly limit?: string;
    /** Show the ids that `sallyport trace` takes. */
    readonly ids: boolean;
    readonly json: boolean;
  };

export async function auditSearch(context: CommandContext, options: AuditSearchOptions): Promise<ExitCode> {
  const { terminal } = context;
  const file = auditFile(context, options);
  const limit = limitOf(options.limit ?? (options.run === undefined ? '100' : '1000'));
  const search = createSearch(queryOf(options, Date.now()));
  let matched = 0;
  const newest: Found[] = [];
  const keep = (found: readonly Found[]): void => {
    matched += found.length;
    newest.push(...found);
    if (newest.length > 2 * limit) newest.splice(0, newest.length - limit);
  };
  try {
    for await (const line of recordLines(file)) keep(search.take(line));
  } catch (error) {
    throw unreadable(file, error);
  }
  keep(search.end());
  const shown = newest.slice(-limit);
  if (options.json) for (const { line } of shown) terminal.out(line);
  else print(shown, options, terminal);
  if (search.unreadable > 0) {
    terminal.err(terminal.yellow(`${search.unreadable} lines are no records. Type: ${TYPED} audit verify ${file}`));
  }
  if (options.json) return EXIT.done;
  if (shown.length > 0) terminal.err('');
  const cut = matched > shown.length ? `, the newest ${shown.length} shown (--limit)` : '';
  terminal.err(terminal.dim(`${matched} of ${search.read} records match${cut}. The whole records: --json.`));
  if (shown.length > 0) terminal.err(terminal.dim(storyHint(options.ids)));
  return EXIT.done;
}

const storyHint = (ids: boolean): string =>
  `The whole story of one call: ${TYPED} trace <request id>${ids ? '' : ' (--ids shows them)'}`;

function print(found: readonly Found[], { run, ids }: AuditSearchOptions, terminal: Terminal): void {
  if (found.length === 0) return;
  const records = found.map(({ record }) => record);
  if (run !== undefined) return printRun(run, records, terminal, ids);
  for (const line of rowsOf(records, terminal, { head: true, ids })) terminal.out(line);
}
