/** Problems of policies as compilers show them: place, message, the line itself and a caret below it. */

import { describeProblem, type PolicyProblem } from '../authz/policy-problem.ts';
import type { Config } from '../config/config.ts';
import type { Terminal } from './terminal.ts';

/** Longer lines are not shown: a minified file would bury the message. */
const MAX_LINE = 200;

export function describePolicyProblems(
  problems: readonly PolicyProblem[],
  config: Pick<Config, 'policies'>,
  terminal: Pick<Terminal, 'dim' | 'red'>,
): string {
  return problems.map((problem) => withSource(problem, config, terminal)).join('\n');
}

function withSource(
  problem: PolicyProblem,
  { policies }: Pick<Config, 'policies'>,
  { dim, red }: Pick<Terminal, 'dim' | 'red'>,
): string {
  const pinned = pinpoint(problem, policies.find(({ name }) => name === problem.source)?.text ?? '');
  const { source, line, column } = pinned;
  const said = describeProblem(pinned);
  const text =
    line === undefined ? undefined : policies.find(({ name }) => name === source)?.text.split('\n')[line - 1];
  if (line === undefined || text === undefined || text.trim() === '' || text.length > MAX_LINE) return said;
  const margin = `${String(line).padStart(5)} | `;
  const shown = `${said}\n${dim(margin)}${text.trimEnd()}`;
  if (column === undefined) return shown;
  // A tab stays one, so that the caret stands where the eye looks.
  const indent = text.slice(0, column - 1).replaceAll(/[^\t]/g, ' ');
  return `${shown}\n${dim(`${' '.repeat(5)} | `)}${indent}${red('^')}`;
}

/** What a message quotes as unknown is looked for from the policy's beginning on, which is all the place that it has. */
function pinpoint(problem: PolicyProblem, text: string): PolicyProblem {
  const word = /\bunknown [a-z ]+ "([^"\\]+)"/.exec(problem.message)?.[1];
  const { line } = problem;
  if (word === undefined || line === undefined) return problem;
  const lines = text.split('\n');
  for (let index = line - 1; index < lines.length; index += 1) {
    const at = wholeWord(withoutComment(lines[index] ?? ''), word);
    if (at !== -1) return { ...problem, line: index + 1, column: at + 1 };
  }
  return problem;
}

const withoutComment = (line: string): string => line.replace(/(^|\s)\/\/.*$/, '');

/** Where the word stands alone, not within a longer one. */
function wholeWord(line: string, word: string): number {
  for (let at = line.indexOf(word); at !== -1; at = line.indexOf(word, at + 1)) {
    const around = `${line[at - 1] ?? ' '}${line[at + word.length] ?? ' '}`;
    if (!/[\w-]/.test(around)) return at;
  }
  return -1;
}
