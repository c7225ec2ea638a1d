/**
 * A permit with everything that depends on the arguments taken for granted. If the permit is satisfied by any arguments at
 * all, so is its optimistic form: what is taken away is only ever one more thing that had to hold, and what stays had to
 * be evaluated, without error, for the permit to be satisfied.
 */

import type { Clause, Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { readsArguments } from './policy-words.ts';

export function optimistic(permit: PolicyJson): PolicyJson {
  return { ...permit, conditions: permit.conditions.flatMap(weaken) };
}

/** `when { a && b }` asks for both, `unless { a || b }` for neither: each part that reads no arguments stays, alone. */
function weaken({ kind, body }: Clause): Clause[] {
  return parts(body, kind === 'when' ? '&&' : '||')
    .filter((part) => !readsArguments(part))
    .map((part) => ({ kind, body: part }));
}

function parts(expression: Expr, operator: '&&' | '||'): Expr[] {
  const pair: unknown = Object.entries(expression).find(([key]) => key === operator)?.[1];
  return isPair(pair) ? [...parts(pair.left, operator), ...parts(pair.right, operator)] : [expression];
}

type Pair = { readonly left: Expr; readonly right: Expr };

const isPair = (value: unknown): value is Pair =>
  typeof value === 'object' && value !== null && 'left' in value && 'right' in value;
