/**
 * Policy texts into policies that are known to be sound: parsed by Cedar, every word known, every id used once. All
 * problems of all texts are collected; one is enough to refuse the set.
 */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { err, ok, type Result } from '../model/result.ts';
import { readAnnotations, type Annotated } from './annotations.ts';
import { optimistic } from './optimistic.ts';
import { cedarProblems, lineAndColumn, type PolicyProblem } from './policy-problem.ts';
import { checkTypes } from './policy-types.ts';
import { wordsOf, type Reads } from './policy-words.ts';

/** One text of Cedar policies. */
export type PolicyText = {
  /** The id of its policy when it holds one; `<id>[<index>]` when it holds several. Default: the file's name. */
  readonly id?: string;
  readonly file?: string;
  readonly text: string;
  /** Ours (`built-in-policies.ts`). */
  readonly builtIn?: true;
};

export type Policy = Annotated & {
  /** Where it stands among all policies; slices are ordered by it. */
  readonly index: number;
  /** `@id("…")`, or the text's id. What decisions and records name. */
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly text: string;
  readonly json: PolicyJson;
  readonly reads: Reads;
  /** Its conditions alone: whether its scope covers a question is found out without the engine (`scope-index.ts`). */
  readonly judged: PolicyJson;
  /** How a permit that reads arguments is judged while they are unknown. */
  readonly optimistic?: PolicyJson;
  readonly builtIn?: true;
  readonly source: string;
  /** Where its text begins, from 1. */
  readonly line: number;
  readonly column: number;
};

export type PolicySetLimits = { readonly maxPolicies: number; readonly maxTextLength: number };

/** `warnings` are of policies that are taken, and most likely not what their author meant. */
export type LoadedPolicies = { readonly policies: readonly Policy[]; readonly warnings: readonly PolicyProblem[] };

export function loadPolicies(
  texts: readonly PolicyText[],
  limits: PolicySetLimits,
): Result<LoadedPolicies, readonly PolicyProblem[]> {
  const problems: PolicyProblem[] = [];
  const policies: Policy[] = [];
  for (const text of texts) loadText(text, limits, policies, problems);
  const given = policies.filter(({ builtIn }) => builtIn !== true).length;
  if (given > limits.maxPolicies) {
    const message = `There are ${given} policies; at most ${limits.maxPolicies} are taken.`;
    problems.push({ source: 'policies', message });
  }
  refuseTwins(policies, problems);
  if (given > limits.maxPolicies) return err(problems);
  // What is misspelt was told already; its type faults would only be the same news again.
  const faulty = new Set(problems.map(({ policy }) => policy));
  const types = checkTypes(policies.filter(({ id }) => !faulty.has(id)));
  problems.push(...types.problems);
  if (problems.length > 0) return err(byPlace(problems));
  const empty = { source: 'policies', message: 'There is no policy at all, so nothing is allowed to anyone.' };
  return ok({ policies, warnings: given === 0 ? [empty] : types.warnings });
}

function loadText(
  { id, file, text, builtIn }: PolicyText,
  limits: PolicySetLimits,
  policies: Policy[],
  problems: PolicyProblem[],
): void {
  const source = file ?? id ?? 'policies';
  if (text.length > limits.maxTextLength) {
    problems.push({
      source,
      message: `The text has ${text.length} characters; at most ${limits.maxTextLength} are taken.`,
    });
    return;
  }
  if (!text.isWellFormed()) {
    problems.push({ source, message: 'The text is not valid Unicode. Save the file as UTF-8.' });
    return;
  }
  const parts = guarded(source, () => cedar.policySetTextToParts(text), problems);
  if (parts === undefined) return;
  if (parts.type === 'failure') {
    problems.push(...cedarProblems(source, text, parts.errors));
    return;
  }
  for (const template of parts.policy_templates) {
    const message = 'Templates (?principal, ?resource) are not taken. Write the entity itself.';
    problems.push({ source, ...placeOf(text, template, 0).position, message });
  }
  const base = id ?? baseName(source);
  const texts = parts.policy_templates.length > 0 ? parts.policies : inFileOrder(parts.policies);
  let from = 0;
  for (const [position, policyText] of texts.entries()) {
    const place = placeOf(text, policyText, from);
    from = place.end;
    const fallbackId = texts.length === 1 ? base : `${base}[${position}]`;
    const at = { source, ...place.position };
    const policy = readPolicy({ text: policyText, fallbackId, index: policies.length, at }, problems);
    if (policy !== undefined) policies.push(builtIn === true ? { ...policy, builtIn } : policy);
  }
}

type Part = {
  readonly text: string;
  readonly fallbackId: string;
  readonly index: number;
  readonly at: { readonly source: string; readonly line: number; readonly column: number };
};

function readPolicy({ text, fallbackId, index, at }: Part, problems: PolicyProblem[]): Policy | undefined {
  const parsed = guarded(at.source, () => cedar.policyToJson(text), problems);
  if (parsed === undefined) return undefined;
  if (parsed.type === 'failure') {
    problems.push(...parsed.errors.map((error) => ({ ...at, message: error.message })));
    return undefined;
  }
  const { json } = parsed;
  const id = json.annotations?.id ?? fallbackId;
  const words = wordsOf(json);
  const { annotated, faults: misannotated } = readAnnotations(json);
  const faults = [
    ...words.unknown,
    ...scopeFaults(json),
    ...(id === '' ? ['@id must not be empty'] : []),
    ...misannotated,
  ];
  const judged = withoutScope(json);
  problems.push(...faults.map((fault) => ({ ...at, policy: id, message: /[.?!]$/.test(fault) ? fault : `${fault}.` })));
  return {
    index,
    id,
    effect: json.effect,
    text,
    json,
    reads: words.reads,
    judged,
    ...(words.reads.arguments && json.effect === 'permit' ? { optimistic: optimistic(judged) } : {}),
    ...annotated,
    ...at,
  };
}

const SCOPE_FORMS: ReadonlySet<string> = new Set(['All', '==', 'in', 'is']);

/** Scopes are not judged by the engine, so a form that we do not know must not be taken for one that covers everything. */
const scopeFaults = ({ principal, action, resource }: PolicyJson): readonly string[] =>
  [principal, action, resource].every(({ op }) => SCOPE_FORMS.has(op))
    ? []
    : ['its scope has a form that is not known'];

const withoutScope = ({ effect, conditions }: PolicyJson): PolicyJson => ({
  effect,
  principal: { op: 'All' },
  action: { op: 'All' },
  resource: { op: 'All' },
  conditions,
});

/** Texts as they were given, problems of one text by their places. */
function byPlace(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const sources = [...new Set(problems.map(({ source }) => source))];
  const place = ({ source, line = 0, column = 0 }: PolicyProblem): readonly number[] => [
    sources.indexOf(source),
    line,
    column,
  ];
  return problems.toSorted((left, right) => {
    const [leftPlace, rightPlace] = [place(left), place(right)];
    const index = leftPlace.findIndex((part, at) => part !== rightPlace[at]);
    return index < 0 ? 0 : (leftPlace[index] ?? 0) - (rightPlace[index] ?? 0);
  });
}

function refuseTwins(policies: readonly Policy[], problems: PolicyProblem[]): void {
  const first = new Map<string, Policy>();
  for (const policy of policies) {
    const twin = first.get(policy.id);
    if (twin === undefined) first.set(policy.id, policy);
    else {
      const message = `This id is taken by ${twin.source}:${twin.line}. Give one of them another @id.`;
      problems.push({ source: policy.source, line: policy.line, policy: policy.id, message });
    }
  }
}

/** Text nested deeply enough overflows the parser's stack: a problem of that text, not a crash. */
function guarded<Answer>(source: string, ask: () => Answer, problems: PolicyProblem[]): Answer | undefined {
  try {
    return ask();
  } catch (error) {
    problems.push({
      source,
      message: `Cedar cannot read this text: ${error instanceof Error ? error.message : 'unknown'}.`,
    });
    return undefined;
  }
}

/** Cedar hands the parts back sorted as text (policy0, policy1, policy10, policy2): undone here. */
function inFileOrder(sorted: readonly string[]): readonly string[] {
  const names = sorted.map((_, index) => `policy${index}`).sort();
  const inOrder = [...sorted];
  for (const [rank, name] of names.entries()) inOrder[Number(name.slice('policy'.length))] = sorted[rank] ?? '';
  return inOrder;
}

/** A part is a verbatim piece of its text. Only messages depend on this: an earlier copy in a comment costs a wrong line. */
function placeOf(
  text: string,
  part: string,
  from: number,
): { end: number; position: { line: number; column: number } } {
  const start = Math.max(text.indexOf(part, from), from);
  const bytes = new TextEncoder().encode(text.slice(0, start)).length;
  return { end: start + 1, position: lineAndColumn(text, bytes) };
}

const baseName = (path: string): string => (path.split(/[/\\]/).at(-1) ?? path).replace(/\.cedar$/, '');
