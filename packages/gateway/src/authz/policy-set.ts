/**
 * Policy texts into policies that are known to be sound: parsed by Cedar, every word known, every id used once. All
 * problems of all texts are collected; one is enough to refuse the set.
 */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { err, ok, type Result } from '../model/result.ts';
import type { Approver } from '../model/decision.ts';
import { parseApprover } from './approver.ts';
import { optimistic } from './optimistic.ts';
import { cedarProblems, lineAndColumn, type PolicyProblem } from './policy-problem.ts';
import { wordsOf, type Reads } from './policy-words.ts';

/** One text of Cedar policies. */
export type PolicyText = {
  /** The id of its policy when it holds one; `<id>[<index>]` when it holds several. Default: the file's name. */
  readonly id?: string;
  readonly file?: string;
  readonly text: string;
};

export type Policy = {
  /** Where it stands among all policies; slices are ordered by it. */
  readonly index: number;
  /** `@id("…")`, or the text's id. What decisions and records name. */
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly text: string;
  readonly json: PolicyJson;
  readonly reads: Reads;
  /** How a permit that reads arguments is judged while they are unknown. */
  readonly optimistic?: PolicyJson;
  /** Who must approve, from `@approval("…")`. */
  readonly approval?: Approver;
  /** `@description("…")`: what a person who has to approve is told. */
  readonly description?: string;
  readonly source: string;
  readonly line: number;
};

export type PolicySetLimits = { readonly maxPolicies: number; readonly maxTextLength: number };

export function loadPolicies(
  texts: readonly PolicyText[],
  limits: PolicySetLimits,
): Result<readonly Policy[], readonly PolicyProblem[]> {
  const problems: PolicyProblem[] = [];
  const policies: Policy[] = [];
  for (const text of texts) loadText(text, limits, policies, problems);
  if (policies.length > limits.maxPolicies) {
    const message = `There are ${policies.length} policies; at most ${limits.maxPolicies} are taken.`;
    problems.push({ source: 'policies', message });
  }
  refuseTwins(policies, problems);
  return problems.length === 0 ? ok(policies) : err(problems);
}

function loadText(
  { id, file, text }: PolicyText,
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
    if (policy !== undefined) policies.push(policy);
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
  // An annotation without a value has null here, whatever the type says.
  const approval: string | null | undefined = json.annotations?.approval;
  const description: string | null | undefined = json.annotations?.description;
  const words = wordsOf(json);
  const faults = [...words.unknown];
  if (id === '') faults.push('@id must not be empty');
  if (approval !== undefined && json.effect === 'forbid')
    faults.push('@approval belongs on a permit: a forbid cannot be approved');
  const approver = typeof approval === 'string' ? parseApprover(approval) : undefined;
  if (approval !== undefined && approver === undefined)
    faults.push('@approval must say who approves: @approval("caller") or @approval("group:dba")');
  problems.push(...faults.map((fault) => ({ ...at, policy: id, message: /[.?!]$/.test(fault) ? fault : `${fault}.` })));
  return {
    index,
    id,
    effect: json.effect,
    text,
    json,
    reads: words.reads,
    ...(words.reads.arguments && json.effect === 'permit' ? { optimistic: optimistic(json) } : {}),
    ...(approver === undefined ? {} : { approval: approver }),
    ...(typeof description === 'string' && description !== '' ? { description } : {}),
    source: at.source,
    line: at.line,
  };
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
