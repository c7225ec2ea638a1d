/**
 * Declared arguments as policy sees them: a path in its one spelling, a URL in parts, what an SQL text does. An argument that
 * cannot be judged denies the call, whether or not a policy would have looked at it.
 */

import type { ArgumentKind, DeclaredArgument } from '../../model/argument-kind.ts';
import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { judgePath } from './path.ts';
import { judgeSql } from './sql.ts';
import { tokenBudget, type TokenBudget } from './sql-gate.ts';
import { judgeUrl } from './url.ts';

/** Elements of lists that are judged in one call, and members of an object that is searched for look-alike names. */
const MAX_ELEMENTS = 1_000;
const MAX_MEMBERS = 1_000;

type Budget = { elements: number; readonly tokens: TokenBudget };

/** The arguments with what policy sees in the declared places, or why the call must be denied: words without any value. */
export function judgeArguments(declared: readonly DeclaredArgument[], args: JsonObject): Result<JsonObject, string> {
  const budget: Budget = { elements: MAX_ELEMENTS, tokens: tokenBudget() };
  let judged: Json = args;
  for (const { place, steps, kind } of declared) {
    const names = namesBeside(declared, place);
    const result: Result<Json, string> = replaceAt(judged, { steps, kind, names, depth: 0, budget });
    if (!result.ok) return err(`The argument "${place}" (${kind.kind}) cannot be judged: ${result.error}`);
    judged = result.value;
  }
  return isJsonObject(judged) ? ok(judged) : err('The arguments are no object.');
}

type Search = {
  readonly steps: DeclaredArgument['steps'];
  readonly kind: ArgumentKind;
  /** For each step, the names that are declared at its level. */
  readonly names: readonly ReadonlySet<string>[];
  readonly depth: number;
  readonly budget: Budget;
};

/** What is absent stays absent, and null stays null: a policy that reads it finds it unreadable. */
function replaceAt(value: Json, search: Search): Result<Json, string> {
  const step = search.steps[search.depth];
  if (value === null) return ok(value);
  if (step === undefined) return judgeValue(value, search);
  if (!isJsonObject(value)) return err('what should hold it is no object.');
  const alike = lookAlike(value, step.name, search.names[search.depth]);
  if (alike !== undefined) return err(alike);
  const member = Object.hasOwn(value, step.name) ? value[step.name] : undefined;
  if (member === undefined || member === null) return ok(value);
  const inner: Search = { ...search, depth: search.depth + 1 };
  const result = step.each ? replaceEach(member, inner) : replaceAt(member, inner);
  if (!result.ok) return result;
  // As an own member whatever its name is: `__proto__` is one like any other.
  return ok(Object.fromEntries([...Object.entries(value), [step.name, result.value]]));
}

function replaceEach(list: Json, search: Search): Result<Json, string> {
  if (!isList(list)) return err('it is no list.');
  search.budget.elements -= list.length;
  if (search.budget.elements < 0) return err(`there are more than ${MAX_ELEMENTS} elements.`);
  const replaced: Json[] = [];
  for (const item of list) {
    const result = replaceAt(item, search);
    if (!result.ok) return result;
    replaced.push(result.value);
  }
  return ok(replaced);
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

function judgeValue(value: Json, { kind, budget }: Search): Result<Json, string> {
  if (typeof value !== 'string') return err('it is no text.');
  switch (kind.kind) {
    case 'path':
      return judgePath(value, kind.base);
    case 'url':
      return judgeUrl(value, kind.schemes);
    case 'sql':
      return judgeSql(value, kind, budget.tokens);
  }
}

/**
 * Many servers read `Path` as `path` (Go's encoding/json does), and of two such members the later one wins. So a name that
 * differs from a declared one only in case or in compatible characters is refused, unless it is declared itself.
 */
function lookAlike(object: JsonObject, name: string, declared: ReadonlySet<string> | undefined): string | undefined {
  const keys = Object.keys(object);
  if (keys.length > MAX_MEMBERS) return `beside it there are more than ${MAX_MEMBERS} others.`;
  const folded = fold(name);
  const alike = keys.some((key) => key !== name && declared?.has(key) !== true && fold(key) === folded);
  return alike ? 'beside it there is another whose name differs only in case.' : undefined;
}

const fold = (name: string): string => name.normalize('NFKC').toLowerCase();

function namesBeside(declared: readonly DeclaredArgument[], place: string): readonly ReadonlySet<string>[] {
  const own = declared.find((one) => one.place === place)?.steps ?? [];
  return own.map((_, depth) => {
    const prefix = keyOf(own.slice(0, depth));
    const beside = declared.filter(({ steps }) => keyOf(steps.slice(0, depth)) === prefix);
    return new Set(beside.flatMap(({ steps }) => steps[depth]?.name ?? []));
  });
}

const keyOf = (steps: readonly { readonly name: string }[]): string => JSON.stringify(steps.map(({ name }) => name));
