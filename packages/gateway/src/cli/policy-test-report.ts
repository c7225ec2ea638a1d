/** How the cases went, for a person: a line for each, and what one that failed had instead. */

import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type CaseReport = {
  readonly name: string;
  readonly line: number;
  readonly as: string;
  readonly subject: string;
  readonly passed: boolean;
  readonly expected: string;
  readonly got: string;
  /** The determining policies, and where each stands. */
  readonly decided: readonly { readonly id: string; readonly place?: string }[];
  readonly errors: readonly string[];
  /** Permits that did not count, because a workload alone asked for what is not harmless. */
  readonly withheld: readonly string[];
};

export type FileReport = { readonly file: string; readonly cases: readonly CaseReport[] };

export function printReport(reports: readonly FileReport[], terminal: Terminal): void {
  for (const { file, cases } of reports) {
    terminal.out(terminal.bold(file));
    const lines = table(cases.map(({ name, as, subject, got }) => [name, as, subject, got]));
    for (const [index, one] of cases.entries()) {
      const line = lines[index] ?? one.name;
      terminal.out(one.passed ? `  ${terminal.green('ok  ')}  ${line}` : `  ${terminal.red('FAIL')}  ${line}`);
      if (!one.passed) printFailure(one, file, terminal);
    }
    terminal.out('');
  }
  const cases = reports.flatMap((report) => report.cases);
  const failed = cases.filter(({ passed }) => !passed).length;
  const summary = `${cases.length - failed} passed, ${failed} failed`;
  terminal.out(failed === 0 ? terminal.green(summary) : terminal.red(summary));
}

function printFailure(
  { line, expected, got, decided, errors, withheld }: CaseReport,
  file: string,
  terminal: Terminal,
): void {
  const policies = decided.map(({ id, place }) => (place === undefined ? id : `${id} (${place})`));
  const rows = [
    ['expected', expected],
    ['got', got],
    ['decided by', policies.length === 0 ? 'no policy: nothing permits it' : policies.join(', ')],
    ...(withheld.length === 0 ? [] : [['withheld', `${withheld.join(', ')}: a workload alone`]]),
    ...errors.map((error) => ['error', error]),
    ['case', `${file}:${line}`],
  ];
  for (const row of table(rows)) terminal.out(`          ${row}`);
}
