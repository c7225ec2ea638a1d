/**
 * One run of an agent, in the order in which it acted: what it did, and what it said it was doing it for. That a call
 * belongs to the run is the client's claim, as is the purpose; who called is not.
 */

import { INTERRUPTED } from '../audit/search.ts';
import type { ToldRecord } from '../audit/told-record.ts';
import { becauseText, painted, timeText } from './audit-rows.ts';
import { printable, table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Whoever claims a run that is not theirs stands here, too: then there is more than one. */
const MAX_CALLERS = 8;

export function printRun(run: string, found: readonly ToldRecord[], terminal: Terminal, ids: boolean): void {
  const calls = found.toSorted((left, right) => startMs(left) - startMs(right) || left.sequence - right.sequence);
  const [first] = calls;
  if (first === undefined) return;
  const purposes = new Set(calls.map(({ purpose }) => purpose).filter((purpose) => purpose !== ''));
  const [only] = purposes;
  terminal.out(`${terminal.bold(`Run ${printable(run)}`)}${terminal.dim('  as its client claims')}`);
  for (const [name, text] of [
    ['purpose', purposes.size === 1 ? (only ?? '') : ''],
    ['who', callersText(calls)],
    ['when', whenText(calls)],
    ['calls', countsText(calls)],
  ] as const) {
    if (text !== '') terminal.out(`  ${terminal.dim(name.padEnd(8))}${printable(text)}`);
  }
  terminal.out('');
  printCalls(calls, terminal, { ids, purposes: purposes.size > 1 });
}

const HEAD = ['after', 'what', 'decision', 'because of', 'outcome', 'took'];

function printCalls(
  calls: readonly ToldRecord[],
  terminal: Terminal,
  { ids, purposes }: { readonly ids: boolean; readonly purposes: boolean },
): void {
  const began = calls[0] === undefined ? 0 : startMs(calls[0]);
  const several = new Set(calls.map(({ who }) => who)).size > 1;
  const rows = calls.map((call) => [
    afterText(startMs(call) - began),
    `${call.operation === 'tools/call' ? '' : `${call.operation} `}${call.target}`,
    call.decision,
    becauseText(call),
    call.outcome,
    call.durationMs === undefined ? '' : durationText(call.durationMs),
    ...(several ? [call.who] : []),
    ...(ids ? [call.requestId] : []),
  ]);
  const [head = '', ...lines] = table([[...HEAD, ...(several ? ['who'] : []), ...(ids ? ['request'] : [])], ...rows]);
  terminal.out(terminal.dim(head));
  let purpose = '';
  for (const [index, call] of calls.entries()) {
    if (purposes && call.purpose !== purpose)
      terminal.out(terminal.dim(`-- ${printable(call.purpose) || 'no purpose'}`));
    ({ purpose } = call);
    terminal.out(painted(call, lines[index] ?? '', terminal));
  }
}

/** An outcome is recorded when a call ends. */
const startMs = ({ timeMs, durationMs = 0 }: ToldRecord): number => timeMs - durationMs;

function callersText(calls: readonly ToldRecord[]): string {
  const callers = new Set(
    calls.map(({ who, tenant, client, clientId }) => {
      const of = tenant === '' || tenant === 'default' ? who : `${who} of ${tenant}`;
      const through = [client, clientId === '' ? '' : `OAuth client ${clientId}`].filter((text) => text !== '');
      return through.length === 0 ? of : `${of}, through ${through.join(', ')}`;
    }),
  );
  const shown = [...callers].slice(0, MAX_CALLERS);
  return callers.size > shown.length
    ? `${shown.join('; ')}; and ${callers.size - shown.length} more`
    : shown.join('; ');
}

function whenText(calls: readonly ToldRecord[]): string {
  const [first] = calls;
  if (first === undefined) return '';
  const ended = Math.max(...calls.map(({ timeMs }) => timeMs));
  return `${timeText(startMs(first))} UTC, for ${durationText(ended - startMs(first))}`;
}

function countsText(calls: readonly ToldRecord[]): string {
  const counts = new Map<string, number>();
  for (const { outcome, result } of calls) {
    const ended = outcome === INTERRUPTED ? INTERRUPTED : result;
    counts.set(ended, (counts.get(ended) ?? 0) + 1);
  }
  return `${calls.length}: ${[...counts].map(([ended, count]) => `${count} ${ended.replace('_', ' ')}`).join(', ')}`;
}

const afterText = (ms: number): string => `+${durationText(Math.max(0, ms))}`;

/** `0 ms`, `340 ms`, `1.2 s`, `4 min 05 s`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
}
