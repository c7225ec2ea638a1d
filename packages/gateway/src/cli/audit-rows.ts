/** Records as lines of a table, the oldest first. */

import { INTERRUPTED } from '../audit/search.ts';
import type { ToldRecord } from '../audit/told-record.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

const HEAD = ['time', 'who', 'what', 'outcome', 'ms', 'because of'];

export type RowOptions = { readonly head?: boolean; readonly ids?: boolean };

export function rowsOf(records: readonly ToldRecord[], terminal: Terminal, options: RowOptions = {}): string[] {
  const { head = false, ids = false } = options;
  const withId = (cells: readonly string[], id: string): readonly string[] => (ids ? [...cells, id] : cells);
  const rows = records.map((record) =>
    withId(
      [
        timeText(record.timeMs),
        record.tenant === '' || record.tenant === 'default' ? record.who : `${record.who} (${record.tenant})`,
        whatText(record),
        record.count === 1 ? record.outcome : `${record.outcome} (${record.count} times)`,
        record.durationMs === undefined ? '' : String(record.durationMs),
        becauseText(record),
      ],
      record.requestId,
    ),
  );
  const lines = table(head ? [withId(HEAD, 'request'), ...rows] : rows);
  return lines.map((line, index) => {
    const record = records[head ? index - 1 : index];
    return record === undefined ? terminal.dim(line) : painted(record, line, terminal);
  });
}

/** `2026-11-25 09:12:03.123`, in UTC. */
export const timeText = (atMs: number): string => {
  const date = new Date(atMs);
  // A tampered file can hold any number.
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString().replace('T', ' ').replace('Z', '');
};

export function becauseText({ policies, because, approvers }: ToldRecord): string {
  const why = policies.length > 0 ? policies.join(', ') : because;
  return approvers.length === 0 ? why : `${why}; approved by ${approvers.join(', ')}`;
}

function whatText({ kind, event, operation, target }: ToldRecord): string {
  if (operation !== '') return `${operation} ${target}`;
  return kind === 'writer' ? `audit file ${event}` : `${event} ${target}`.trimEnd();
}

/** The colour of how it ended: one line is one call, so the whole line has it. */
export function painted(record: ToldRecord, line: string, terminal: Terminal): string {
  if (record.outcome === INTERRUPTED) return terminal.yellow(line);
  return record.result === 'refused' || record.result === 'failed' || record.result === 'tool_error'
    ? terminal.red(line)
    : line;
}
