/**
 * Policies against Cedar's schema when they are loaded: types, attributes, actions that cannot be, optional attributes
 * without `has`.
 *
 * Arguments and claims have no type before a request, so every condition that looks at them stands for true or false, and
 * whatever is joined to it by `&&`, `||`, `!` and `if` is checked as it is written. The same holds for the few forms that
 * Cedar's validator refuses for their form alone, though they evaluate without error: an empty set, a set of unlike things,
 * an extension type made of a value. So a policy that is refused is wrong for some request, whatever the arguments; of
 * what is put aside, every word was checked before (`policy-words.ts`), and what fails when it is evaluated denies.
 */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Expr, PolicyJson, ValidationError } from '@cedar-policy/cedar-wasm/nodejs';
import { cedarSchema } from './cedar-schema.ts';
import { CONTEXT_MODEL, PRINCIPAL_MODEL } from './entity-model.ts';
import { lineAndColumn, type PolicyProblem } from './policy-problem.ts';
import type { Policy } from './policy-set.ts';

/** Neither true nor false to the validator. Not a name that a policy can have: it would be an unknown word. */
const UNDECIDED = 'undecided';

const UNDECIDED_EXPRESSION: Expr = { '.': { left: { Var: 'context' }, attr: UNDECIDED } };

const OPEN_CONTEXT = openAttributes(CONTEXT_MODEL);
const OPEN_PRINCIPAL = openAttributes(PRINCIPAL_MODEL);

const NO_ACTION = /unable to find an applicable action/;
const IMPOSSIBLE = /policy is impossible/;

export type TypeFindings = { readonly problems: readonly PolicyProblem[]; readonly warnings: readonly PolicyProblem[] };

/** @throws Error when Cedar does not take our own schema. */
export function checkTypes(policies: readonly Policy[]): TypeFindings {
  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  const rewritten = new Map(policies.map((policy) => [policy.id, decidable(policy.json)]));
  // Text where nothing had to be put aside: only then does Cedar know the place of what it finds.
  const asked = policies.map(({ id, json, text }) => [
    id,
    rewritten.get(id) === json ? text : (rewritten.get(id) ?? text),
  ]);
  const answer = cedar.validate({
    schema: cedarSchema([UNDECIDED]),
    policies: { staticPolicies: Object.fromEntries(asked) },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type === 'failure') {
    throw new Error(`Cedar refused its own schema: ${answer.errors[0]?.message ?? 'no reason given'}`);
  }
  const never = answer.validationWarnings.filter(({ error }) => NO_ACTION.test(error.message));
  const hopeless = answer.validationWarnings.filter(
    ({ policyId, error }) => IMPOSSIBLE.test(error.message) && never.every((other) => other.policyId !== policyId),
  );
  return {
    problems: [
      ...distinct(answer.validationErrors).flatMap((error) => told(error, byId)),
      ...distinct(never).flatMap((error) => told(error, byId, NEVER_APPLIES)),
    ],
    warnings: distinct(hopeless).flatMap((error) => told(error, byId, NEVER_HOLDS)),
  };
}

const NEVER_APPLIES = 'no request fits this scope: its action is never about this kind of resource, or of principal.';
const NEVER_HOLDS = 'its conditions hold for no request, so it decides nothing.';

/** The validator tells the same fault again for every kind of principal, action and resource. */
function distinct(errors: readonly ValidationError[]): readonly ValidationError[] {
  const first = new Map<string, ValidationError>();
  const inOrder = [...errors].sort((left, right) => (left.error.message < right.error.message ? -1 : 1));
  for (const found of inOrder) {
    const { policyId, error } = found;
    const place = error.sourceLocations?.[0];
    const fault = place === undefined ? error.message.replace(/ on entity type `[^`]*`| in context for .*/, '') : '';
    const key = JSON.stringify([policyId, place?.start, place?.end, fault]);
    if (!first.has(key)) first.set(key, found);
  }
  return [...first.values()];
}

function told(
  { policyId, error }: ValidationError,
  byId: ReadonlyMap<string, Policy>,
  message = sentenceOf(error),
): PolicyProblem[] {
  const policy = byId.get(policyId);
  if (policy === undefined) return [];
  const place = error.sourceLocations?.[0];
  return [{ source: policy.source, ...placeIn(policy, place?.start), policy: policyId, message }];
}

function sentenceOf({ message, help }: ValidationError['error']): string {
  const words = [message, ...(help === null || help === undefined ? [] : [help])];
  return `${words.map((text) => text.replace(/^for policy `.*?`, /, '')).join('; ')}.`;
}

/** Offsets are within the policy's own text; `line` and `column` are where it begins in its file. */
function placeIn({ text, line, column }: Policy, offset: number | undefined): { line: number; column: number } {
  if (offset === undefined) return { line, column };
  const within = lineAndColumn(text, offset);
  return within.line === 1
    ? { line, column: column + within.column - 1 }
    : { line: line + within.line - 1, column: within.column };
}

/** The same policy, with what no schema can judge left undecided; the same object when there is nothing of that. */
function decidable(policy: PolicyJson): PolicyJson {
  const conditions = policy.conditions.map((clause) => {
    const body = decided(clause.body);
    return body === clause.body ? clause : { ...clause, body };
  });
  return conditions.every((clause, index) => clause === policy.conditions[index]) ? policy : { ...policy, conditions };
}

/** @param expression Of Boolean type. */
function decided(expression: Expr): Expr {
  const [[operator, operands] = ['', undefined]] = Object.entries(expression);
  if ((operator === '&&' || operator === '||') && isPair(operands)) {
    const pair = { left: decided(operands.left), right: decided(operands.right) };
    if (pair.left === operands.left && pair.right === operands.right) return expression;
    return operator === '&&' ? { '&&': pair } : { '||': pair };
  }
  if (operator === '!' && isSingle(operands)) {
    const arg = decided(operands.arg);
    return arg === operands.arg ? expression : { '!': { arg } };
  }
  if (operator === 'if-then-else' && isChoice(operands)) {
    const [test, yes, no] = [decided(operands.if), decided(operands.then), decided(operands.else)];
    if (test === operands.if && yes === operands.then && no === operands.else) return expression;
    // The same in Booleans, to the validator as well: what a test makes sure of holds behind its `&&`.
    return {
      '||': {
        left: { '&&': { left: test, right: yes } },
        right: { '&&': { left: { '!': { arg: test } }, right: no } },
      },
    };
  }
  return isUndecidable(expression) ? UNDECIDED_EXPRESSION : expression;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isPair = (value: unknown): value is { left: Expr; right: Expr } =>
  isObject(value) && 'left' in value && 'right' in value;
const isSingle = (value: unknown): value is { arg: Expr } => isObject(value) && 'arg' in value;
const isChoice = (value: unknown): value is { if: Expr; then: Expr; else: Expr } =>
  isObject(value) && 'if' in value && 'then' in value && 'else' in value;

type Node = { readonly [key: string]: unknown };

const isNode = (value: unknown): value is Node => isObject(value) && !Array.isArray(value);

/** Reads what has no type, or has a form that the validator refuses whatever it means. */
function isUndecidable(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(isUndecidable);
  if (!isNode(node)) return false;
  if (node.Var === 'context') return true;
  return Object.entries(node).some(([key, value]) => {
    switch (key) {
      case 'Value':
        return false;
      case '.':
      case 'has':
        return isNode(value) && readsOpen(value);
      // Sets of plain literals of one type are what the validator takes; what is compared with a set of entities, or of
      // records, would have to be of that very type for every kind of caller.
      case 'Set':
        return Array.isArray(value) && !isPlain(value);
      case 'Record':
      case 'if-then-else':
        return true;
      default:
        return isLooseExtension(key, value) || isUndecidable(value);
    }
  });
}

const EXTENSION_TYPES: ReadonlySet<string> = new Set(['decimal', 'ip', 'datetime', 'duration']);

const isLooseExtension = (key: string, value: unknown): boolean =>
  EXTENSION_TYPES.has(key) && Array.isArray(value) && !value.every((item) => isNode(item) && 'Value' in item);

function readsOpen({ left, attr }: Node): boolean {
  const first: unknown = Array.isArray(attr) ? attr[0] : attr;
  if (typeof first !== 'string') return true;
  if (isNode(left) && left.Var === 'context') return OPEN_CONTEXT.has(first);
  return OPEN_PRINCIPAL.has(first) || isUndecidable(left);
}

function isPlain(elements: readonly unknown[]): boolean {
  const types = new Set(elements.map((element) => (isNode(element) ? typeof element.Value : 'undefined')));
  const [type] = types;
  return types.size === 1 && (type === 'string' || type === 'number' || type === 'boolean');
}

function openAttributes(model: Readonly<Record<string, { readonly type: string }>>): ReadonlySet<string> {
  return new Set(Object.entries(model).flatMap(([name, { type }]) => (type === 'open' ? [name] : [])));
}
