/** `sallyport check --production`: the deployment checklist for this configuration, with evidence, and honest about what it cannot see. */

import { requireConfig } from './check.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { judge } from './production/checklist.ts';
import { gatherFacts } from './production/gather.ts';
import type { Finding, JudgedRow, Verdict } from './production/row.ts';
import { printable } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type CheckProductionOptions = {
  readonly config: string;
  readonly url?: string;
  readonly prometheus?: string;
  readonly backup?: string;
  readonly storage: boolean;
  readonly json: boolean;
};

/** Exit code 1 when a row fails; what is unknown fails nothing. */
export async function checkProduction(context: CommandContext, options: CheckProductionOptions): Promise<ExitCode> {
  const { terminal } = context;
  const loaded = requireConfig(context, options.config);
  const rows = judge(await gatherFacts(loaded, options));
  const counts = { pass: 0, fail: 0, unknown: 0 };
  for (const { verdict } of rows) counts[verdict] += 1;
  if (options.json) terminal.out(JSON.stringify({ file: loaded.file, counts, rows }, null, 2));
  else print(loaded.file, rows, counts, terminal);
  return counts.fail === 0 ? EXIT.done : EXIT.failed;
}

const VERDICT_WIDTH = 9;
const TITLE_WIDTH = 21;
const INDENT = ' '.repeat(VERDICT_WIDTH);

function print(
  file: string,
  rows: readonly JudgedRow[],
  counts: Readonly<Record<Verdict, number>>,
  terminal: Terminal,
): void {
  terminal.out(`Deployment checklist of ${printable(file)}`);
  for (const { verdict, title, question, findings } of rows) {
    terminal.out('');
    const word = paint(verdict, terminal)(verdict.padEnd(VERDICT_WIDTH));
    terminal.out(`${word}${terminal.bold(title.padEnd(TITLE_WIDTH))}  ${terminal.dim(question)}`);
    for (const finding of inOrder(findings)) printFinding(finding, terminal);
  }
  terminal.out('');
  terminal.out(`${counts.pass} pass, ${counts.fail} fail, ${counts.unknown} unknown`);
  if (counts.unknown > 0) terminal.out(terminal.dim('unknown: it cannot be seen from here, and is for you to know.'));
}

const MARKS: Readonly<Record<Verdict, string>> = { fail: '-', unknown: '?', pass: '+' };

/** What there is to do comes first. */
const inOrder = (findings: readonly Finding[]): readonly Finding[] =>
  (['fail', 'unknown', 'pass'] as const).flatMap((verdict) =>
    findings.filter((finding) => finding.verdict === verdict),
  );

function printFinding({ verdict, evidence, mend }: Finding, terminal: Terminal): void {
  const [first = '', ...rest] = wrapped(printable(evidence));
  const shown = verdict === 'pass' ? terminal.dim : (text: string): string => text;
  terminal.out(`${INDENT}${paint(verdict, terminal)(MARKS[verdict])} ${shown(first)}`);
  for (const line of rest) terminal.out(`${INDENT}  ${shown(line)}`);
  if (mend === undefined) return;
  for (const [index, line] of wrapped(printable(mend), TEXT_WIDTH - TO_MEND.length).entries()) {
    terminal.out(`${INDENT}  ${index === 0 ? TO_MEND : ' '.repeat(TO_MEND.length)}${line}`);
  }
}

const paint = (verdict: Verdict, terminal: Terminal): ((text: string) => string) =>
  ({ pass: terminal.green, fail: terminal.red, unknown: terminal.yellow })[verdict];

const TEXT_WIDTH = 96;
const TO_MEND = 'to mend: ';

/** At spaces; a path that is longer than a line stays whole, so that it can be copied. */
function wrapped(text: string, width = TEXT_WIDTH): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
