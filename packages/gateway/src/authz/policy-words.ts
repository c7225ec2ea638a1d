/**
 * What a policy reads and names, found in its JSON form: what of `context` a decision depends on (so that it can be
 * remembered), and every word we do not know. A misspelt action in a `forbid` would otherwise simply never forbid.
 */

import { nearestName } from '../model/nearest-name.ts';
import {
  ACTIONS,
  ANNOTATIONS,
  CONTEXT_ATTRIBUTES,
  ENTITY_TYPES,
  PRINCIPAL_ATTRIBUTES,
  RESOURCE_ATTRIBUTES,
} from './vocabulary.ts';

/** What a policy's outcome can depend on: parts of `context`, and attributes of entities by their names. */
export type Reads = {
  readonly arguments: boolean;
  readonly surface: boolean;
  readonly method: boolean;
  readonly now: boolean;
  /** Every name that stands behind a dot or `has`, of whatever it is asked. */
  readonly attributes: ReadonlySet<string>;
};

export type Words = { readonly reads: Reads; readonly unknown: readonly string[] };

type Found = {
  arguments: boolean;
  surface: boolean;
  method: boolean;
  now: boolean;
  attributes: Set<string>;
  problems: Set<string>;
};

const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  principal: PRINCIPAL_ATTRIBUTES,
  resource: RESOURCE_ATTRIBUTES,
  context: CONTEXT_ATTRIBUTES,
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

const nothingFound = (): Found => ({
  arguments: false,
  surface: false,
  method: false,
  now: false,
  attributes: new Set(),
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
    else if (key === 'is' && isNode(value)) {
      if (typeof value.entity_type === 'string') expectWord('entity type', value.entity_type, ENTITY_TYPES, found);
      walk(value.left, found);
      walk(value.in, found);
    } else walk(value, found);
  }
}

function walkAttribute(node: Node, found: Found): void {
  const path = Array.isArray(node.attr) ? node.attr : [node.attr];
  for (const name of path) if (typeof name === 'string') found.attributes.add(name);
  const first: unknown = path[0];
  const variable = isNode(node.left) && typeof node.left.Var === 'string' ? node.left.Var : undefined;
  const known = variable === undefined ? undefined : ATTRIBUTES[variable];
  if (variable === undefined || known === undefined || typeof first !== 'string') {
    walk(node.left, found);
    return;
  }
  expectWord(`attribute of ${variable}`, first, known, found);
  if (variable !== 'context') return;
  if (first === 'arguments' || first === 'undeclared') found.arguments = true;
  else if (first === 'surface' || first === 'method' || first === 'now') found[first] = true;
  else readEverything(found);
}

function walkValue(value: unknown, found: Found): void {
  if (Array.isArray(value)) for (const item of value) walkValue(item, found);
  else if (isNode(value)) {
    if ('__entity' in value) checkEntity(value, found);
    else for (const key in value) walkValue(value[key], found);
  }
}

function readEverything(found: Found): void {
  found.arguments = true;
  found.surface = true;
  found.method = true;
  found.now = true;
}

function expectWord(noun: string, word: string, known: readonly string[], found: Found): void {
  if (known.includes(word)) return;
  const nearest = nearestName(word, known);
  const hint = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${JSON.stringify(nearest)}?`;
  found.problems.add(`unknown ${noun} ${JSON.stringify(word)}; ${hint}`);
}
