/** An explanation for a person: the decision first, then the policies with their text, then what was taken into account. */

import type { JsonObject } from '../model/json.ts';
import type { Entry } from '../model/target.ts';
import type { CallerWords } from './policy-callers.ts';
import type { Subject } from './policy-entries.ts';
import { isOpen, type Evidence, type NearMiss } from './policy-evidence.ts';
import { rulingText, type Ruling } from './policy-question.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type PolicyExplanation = {
  readonly caller: CallerWords;
  readonly subject: Subject;
  readonly args: JsonObject | undefined;
  readonly ruling: Ruling;
  readonly evidence: readonly Evidence[];
  /** Empty when it is allowed. */
  readonly nearest: readonly NearMiss[];
  readonly policies: { readonly version: string; readonly count: number };
  readonly notes: readonly string[];
};

export function printExplanation(explanation: PolicyExplanation, entry: Entry, terminal: Terminal): void {
  const { ruling, evidence, notes, policies } = explanation;
  const paint = isOpen(ruling) ? terminal.green : terminal.red;
  terminal.out(`${paint(rulingText(ruling))}  ${questionText(explanation)}`);
  for (const line of reasons(explanation)) terminal.out(`  ${line}`);
  const { observed } = ruling.grounds;
  if (observed !== undefined)
    terminal.out(`  ${observed.policies.join(', ')} would make it ${observedText(observed)}.`);
  const decisive = evidence.filter(({ id }) => ruling.grounds.policies.includes(id));
  for (const policy of decisive) printPolicy(policy, terminal);
  const others = evidence.filter((policy) => !decisive.includes(policy));
  if (others.length > 0) {
    terminal.out('');
    terminal.out(terminal.dim(decisive.length === 0 ? 'Policies that cover it' : 'Other policies that cover it'));
    const rows = others.map((one) => [one.effect, one.id, placeOf(one), outcomeText(one)]);
    for (const line of table(rows)) terminal.out(`  ${line}`);
  }
  terminal.out('');
  terminal.out(
    terminal.dim(`${traitsText(entry)}  policies ${policies.version.slice(0, 12)}, ${policies.count} in all`),
  );
  for (const note of notes) terminal.out(terminal.yellow(note));
}

function observedText({ effect, approvals }: NonNullable<Ruling['grounds']['observed']>): string {
  return approvals.length === 0 ? effect : `${effect}, approved by ${approvals.join(', ')}`;
}

function questionText({ caller, subject, args }: PolicyExplanation): string {
  const groups = caller.groups.length === 0 ? 'no groups' : `in ${caller.groups.join(', ')}`;
  const layers = [
    `${caller.name} (${groups})`,
    ...(caller.workload === undefined || caller.workload === caller.name ? [] : [`from ${caller.workload}`]),
    ...(caller.surface === undefined ? [] : [`on ${caller.surface}`]),
  ];
  const asked = args === undefined ? 'arguments unknown' : JSON.stringify(args);
  return `${layers.join(' ')}: ${subject.kind} ${subject.address}, ${asked}`;
}

/** Why it came out so, in a sentence or two. */
function reasons({ ruling, evidence, nearest }: PolicyExplanation): readonly string[] {
  const { grounds, invalid, effect } = ruling;
  if (invalid !== undefined) return ['The call is refused before policy is asked.', invalid];
  if (grounds.errors.length > 0) return ['An evaluation error denies:', ...grounds.errors];
  if (effect === 'approval') return ['Allowed once that is given. It is asked for by the policies below.'];
  if (isOpen(ruling)) return grounds.policies.length > 0 ? [] : ['It depends on the arguments.'];
  if (grounds.policies.length > 0) return ['A forbid wins over every permit.'];
  const { withheld = [] } = grounds;
  if (withheld.length > 0) {
    const why = 'a workload alone reaches only what is marked read-only and of low risk';
    return [`${withheld.join(', ')} would permit it, but ${why}.`];
  }
  const none = evidence.length === 0 ? 'No policy speaks of it' : 'No policy allows it';
  if (nearest.length === 0) return [`${none}, and no group would change that.`];
  const ways = nearest.map(({ group, policies }) => `${policies.join(', ')} needs group ${group}`);
  return [`${none}; the nearest: ${ways.join('; ')}.`];
}

function printPolicy(policy: Evidence, terminal: Terminal): void {
  terminal.out('');
  terminal.out(`${terminal.bold(policy.id)}  ${placeOf(policy)}  ${outcomeText(policy)}`);
  for (const line of policy.text.trim().split('\n')) terminal.out(`    ${line.trimEnd()}`);
}

/** A rule of an `allow` list has a place in the configuration, but no file of its own. */
const placeOf = ({ source, line, id }: Evidence): string => (source === id ? 'allow list' : `${source}:${line}`);

const OUTCOMES: Readonly<Record<Evidence['outcome'], string>> = {
  satisfied: 'satisfied',
  'not satisfied': 'not satisfied',
  depends: 'depends on the arguments',
  error: 'cannot be evaluated',
};

function outcomeText({ outcome, error, mode }: Evidence): string {
  const text = error === undefined ? OUTCOMES[outcome] : `${OUTCOMES[outcome]}: ${error}`;
  return mode === 'observe' ? `${text} (only observed)` : text;
}

function traitsText({ kind, traits }: Entry): string {
  if (kind === 'server') return 'a server';
  const tags = traits.tags.length === 0 ? '' : `, tagged ${traits.tags.join(', ')}`;
  return `${kind}: ${traits.readOnly ? 'read-only' : 'may write'}, ${traits.risk} risk${tags}`;
}
