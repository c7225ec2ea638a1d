/**
 * What a policy reads and names, found in its JSON form: what of `context` a decision depends on (so that it can be
 * remembered), which attributes the engine has to be told, and every word we do not know. A misspelt action in a `forbid`
 * would otherwise simply never forbid.
 */

import { nearestName } from '../model/nearest-name.ts';
import { PRINCIPAL_MODEL, RESOURCE_MODEL, type AttributeModel } from './entity-model.ts';
import {
  ACTIONS,
  ANNOTATIONS,
  CONTEXT_ATTRIBUTES,
  ENTITY_TYPES,
  PRINCIPAL_ATTRIBUTES,
  RESOURCE_ATTRIBUTES,
  WORKLOAD_ATTRIBUTES,
} from './vocabulary.ts';

/** What a policy's outcome can depend on: parts of `context`, and attributes of entities by their names. */
export type Reads = {
  /** Anything of the arguments, `undeclared` included. */
  readonly arguments: boolean;
  /** The top-level arguments whose values are looked at; the engine is told no others. */
  readonly argumentNames: ReadonlySet<string> | 'all';
  readonly undeclared: boolean;
  readonly surface: boolean;
  readonly workload: boolean;
  readonly method: boolean;
  readonly now: boolean;
  /** Whether a condition asks what is `in` what. */
  readonly hierarchy: boolean;
  /** Names behind a dot or `has`: of either side, and of what is not known to be one of them. */
  readonly attributes: {
    readonly principal: ReadonlySet<string>;
    readonly resource: ReadonlySet<string>;
    readonly any: ReadonlySet<string>;
  };
};

export type Words = { readonly reads: Reads; readonly unknown: readonly string[] };

type Found = {
  arguments: boolean;
  argumentNames: Set<string> | 'all';
  undeclared: boolean;
  surface: boolean;
  workload: boolean;
  method: boolean;
  now: boolean;
  hierarchy: boolean;
  attributes: { principal: Set<string>; resource: Set<string>; any: Set<string> };
  problems: Set<string>;
};

const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  principal: [...PRINCIPAL_ATTRIBUTES, ...WORKLOAD_ATTRIBUTES],
  resource: RESOURCE_ATTRIBUTES,
  context: CONTEXT_ATTRIBUTES,
};

const MODELS: Readonly<Record<string, Readonly<Record<string, AttributeModel>>>> = {
  principal: PRINCIPAL_MODEL,
  resource: RESOURCE_MODEL,
};

/** @param policy A policy in Cedar's JSON form. */
export function wordsOf(policy: unknown): Words {
  const found = nothingFound();
  if (isNode(policy)) {
    for (const side of ['principal', 'action', 'resource']) checkScope(policy[side], found);
    if (isNode(policy.annotations)) {
      for (const name in policy.annotations) expectWord('annotation', name, ANNOTATIONS, found);
    }
    walk(policy.conditions, found);
  }
  const { problems, ...reads } = found;
  return { reads, unknown: [...problems] };
}

/** Can the value of this expression depend on the arguments? */
export function readsArguments(expression: unknown): boolean {
  const found = nothingFound();
  walk(expression, found);
  return found.arguments;
}

const FLAGS = ['arguments', 'undeclared', 'surface', 'workload', 'method', 'now', 'hierarchy'] as const;
const SIDES = ['principal', 'resource', 'any'] as const;

/** What several policies read together. In one pass: a slice can have a thousand of them while a list waits. */
export function unionOf(all: readonly Reads[]): Reads {
  const { problems: _, ...union } = nothingFound();
  for (const reads of all) {
    for (const flag of FLAGS) union[flag] ||= reads[flag];
    for (const side of SIDES) for (const name of reads.attributes[side]) union.attributes[side].add(name);
    if (reads.argumentNames === 'all') union.argumentNames = 'all';
    else if (union.argumentNames !== 'all') for (const name of reads.argumentNames) union.argumentNames.add(name);
  }
  return union;
}

/** Whether two requests that differ only in `context` can be answered differently. */
export const readsContext = (reads: Reads): boolean =>
  reads.arguments || reads.surface || reads.workload || reads.method || reads.now;

const nothingFound = (): Found => ({
  arguments: false,
  argumentNames: new Set(),
  undeclared: false,
  surface: false,
  workload: false,
  method: false,
  now: false,
  hierarchy: false,
  attributes: { principal: new Set(), resource: new Set(), any: new Set() },
  problems: new Set(),
});

type Node = { readonly [key: string]: unknown };

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

function checkScope(constraint: unknown, found: Found): void {
  if (!isNode(constraint)) return;
  checkEntity(constraint.entity, found);
  if (Array.isArray(constraint.entities)) for (const entity of constraint.entities) checkEntity(entity, found);
  if (typeof constraint.entity_type === 'string')
    expectWord('entity type', constraint.entity_type, ENTITY_TYPES, found);
  checkScope(constraint.in, found);
}

function checkEntity(value: unknown, found: Found): void {
  if (!isNode(value)) return;
  const { __entity: escaped } = value;
  const uid = isNode(escaped) ? escaped : value;
  if (typeof uid.type !== 'string' || typeof uid.id !== 'string') return;
  expectWord('entity type', uid.type, ENTITY_TYPES, found);
  if (uid.type === 'Action') expectWord('action', uid.id, ACTIONS, found);
}

/**
 * Known shapes are read closely, everything else is searched to its leaves: whatever a newer Cedar adds, a `context` in it
 * is found, and one that stands alone counts as reading all of it.
 */
function walk(node: unknown, found: Found): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, found);
    return;
  }
  if (!isNode(node)) return;
  if (node.Var === 'context') readEverything(found);
  for (const key in node) {
    const value = node[key];
    if (key === 'Value') walkValue(value, found);
    else if (key === 'Record' && isNode(value)) for (const name in value) walk(value[name], found);
    else if ((key === '.' || key === 'has') && isNode(value)) walkAttribute(value, found);
    else if ((key === '==' || key === '!=' || key === 'contains') && isNode(value)) {
      checkValues(value.left, value.right, found);
      checkValues(value.right, value.left, found);
      walk(value, found);
    } else if (key === 'is' && isNode(value)) {
      if (typeof value.entity_type === 'string') expectWord('entity type', value.entity_type, ENTITY_TYPES, found);
      if (value.in !== undefined) found.hierarchy = true;
      walk(value.left, found);
      walk(value.in, found);
    } else {
      if (key === 'in') found.hierarchy = true;
      walk(value, found);
    }
  }
}

/** `resource.risk == "hihg"`: a value that an attribute never has. */
function checkValues(attribute: unknown, values: unknown, found: Found): void {
  const access = isNode(attribute) ? attribute['.'] : undefined;
  if (!isNode(access) || !isNode(access.left) || !isText(access.left.Var) || !isText(access.attr)) return;
  const { values: known } = MODELS[access.left.Var]?.[access.attr] ?? {};
  if (known === undefined || !isNode(values)) return;
  for (const element of Array.isArray(values.Set) ? values.Set : [values]) {
    if (isNode(element) && isText(element.Value)) expectWord(access.attr, element.Value, known, found);
  }
}

/** `resource.server.owner`, `context has arguments.amount`: what it begins with, and the names after it. */
function walkAttribute(node: Node, found: Found): void {
  const path = Array.isArray(node.attr) ? node.attr.filter(isText) : [node.attr].filter(isText);
  let { left } = node;
  while (isNode(left) && isNode(left['.'])) {
    const inner: Node = left['.'];
    if (isText(inner.attr)) path.unshift(inner.attr);
    ({ left } = inner);
  }
  const variable = isNode(left) && isText(left.Var) ? left.Var : undefined;
  const known = variable === undefined ? undefined : ATTRIBUTES[variable];
  const [first, ...rest] = path;
  if (variable === undefined || known === undefined || first === undefined) {
    for (const name of path) found.attributes.any.add(name);
    walk(left, found);
    return;
  }
  expectWord(`attribute of ${variable}`, first, known, found);
  if (variable === 'principal' || variable === 'resource') found.attributes[variable].add(first);
  else if (readContext(first, rest, found) === 'arguments') return;
  for (const name of rest) found.attributes.any.add(name);
}

function readContext(first: string, rest: readonly string[], found: Found): string {
  if (first === 'arguments') {
    found.arguments = true;
    const [name] = rest;
    if (name === undefined) found.argumentNames = 'all';
    else if (found.argumentNames !== 'all') found.argumentNames.add(name);
  } else if (first === 'undeclared') {
    found.arguments = true;
    found.undeclared = true;
  } else if (first === 'surface' || first === 'workload' || first === 'method' || first === 'now') found[first] = true;
  else readEverything(found);
  return first;
}

const isText = (value: unknown): value is string => typeof value === 'string';

function walkValue(value: unknown, found: Found): void {
  if (Array.isArray(value)) for (const item of value) walkValue(item, found);
  else if (isNode(value)) {
    if ('__entity' in value) checkEntity(value, found);
    else for (const key in value) walkValue(value[key], found);
  } else if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    // It was rounded on its way here, and what is rounded could permit; no argument can be as large either.
    found.problems.add(`a number beyond ${Number.MAX_SAFE_INTEGER} cannot be compared; leave it out`);
  }
}

function readEverything(found: Found): void {
  found.arguments = true;
  found.argumentNames = 'all';
  found.undeclared = true;
  found.surface = true;
  found.workload = true;
  found.method = true;
  found.now = true;
}

function expectWord(noun: string, word: string, known: readonly string[], found: Found): void {
  if (known.includes(word)) return;
  const nearest = nearestName(word, known);
  const hint = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${JSON.stringify(nearest)}?`;
  found.problems.add(`unknown ${noun} ${JSON.stringify(word)}; ${hint}`);
}
