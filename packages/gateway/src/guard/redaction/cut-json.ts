/**
 * What remains of JSON that is too large to be kept: as much of its beginning as fits, closed again so that it is JSON. A
 * string that was cut loses its last run of letters, because half a secret is not recognised as one.
 */

import type { Json, JsonObject } from '../../model/json.ts';

const CUT_MARK = '…[cut]';

/** The last run may be the beginning of a token. Longer ones are data, and half of them says nothing. */
const MAX_RUN_CHARS = 4096;

/** A text of at most so many characters. */
export function cutText(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : withoutLastRun(text.slice(0, maxChars)) + CUT_MARK;
}

function withoutLastRun(text: string): string {
  const least = Math.max(0, text.length - MAX_RUN_CHARS);
  let end = text.length;
  while (end > least && !/[\s,;"'<>]/.test(text[end - 1] ?? '')) end--;
  return text.slice(0, end);
}

export type BoundedCopy = { readonly value: JsonObject; readonly cut: boolean };

const MAX_DEPTH = 128;
/** Braces, commas and quotes of a member count, too: a million empty strings are large. */
const NODE_CHARS = 4;

/** A body whose strings and members are about `maxChars` together at most. Takes time for as much as it keeps. */
export function boundedCopy(body: JsonObject, maxChars: number): BoundedCopy {
  const budget: Budget = { left: maxChars, cut: false };
  return { value: copyObject(body, budget, 0), cut: budget.cut };
}

type Budget = { left: number; cut: boolean };

function copyObject(value: JsonObject, budget: Budget, depth: number): JsonObject {
  const members: [string, Json][] = [];
  for (const name in value) {
    const member = value[name];
    if (member === undefined || !Object.hasOwn(value, name)) continue;
    budget.left -= name.length + NODE_CHARS;
    if (budget.left <= 0) {
      budget.cut = true;
      break;
    }
    members.push([name, copy(member, budget, depth + 1)]);
  }
  return Object.fromEntries(members);
}

function copy(value: Json, budget: Budget, depth: number): Json {
  budget.left -= NODE_CHARS;
  if (typeof value === 'string') {
    const most = Math.max(0, budget.left);
    budget.left -= value.length;
    if (value.length <= most) return value;
    budget.cut = true;
    return cutText(value, most);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) {
    budget.cut = true;
    return CUT_MARK;
  }
  if (!isList(value)) return copyObject(value, budget, depth);
  const items: Json[] = [];
  for (const item of value) {
    if (budget.left <= 0) {
      budget.cut = true;
      break;
    }
    items.push(copy(item, budget, depth + 1));
  }
  return items;
}

const isList = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);

export type ClosedJson = {
  readonly json: string;
  /** Nothing was missing; what followed the value is not in it. */
  readonly complete: boolean;
};

/**
 * JSON text of which the end may be missing, closed. Undefined when nothing of it can be kept. One pass; what stands after the
 * last whole value is dropped, but for a string: of it the beginning is kept.
 */
export function closedJson(text: string): ClosedJson | undefined {
  const open: string[] = [];
  /** As far as everything is whole, and what was open there. */
  let safe = 0;
  let safeOpen: readonly string[] = [];
  let last = '';
  for (let at = 0; at < text.length;) {
    const character = text[at] ?? '';
    if (character === '"') {
      const end = stringEnd(text, at);
      if (end === undefined) return cutString(text, { at, open, safe, safeOpen });
      at = end;
      // A member's name is no value yet.
      if (last === ':' || open.at(-1) === ']') [safe, safeOpen] = [at, [...open]];
      continue;
    }
    at += 1;
    if ('{[}],:'.includes(character)) last = character;
    if (character === '{' || character === '[') {
      if (open.length >= MAX_DEPTH) return undefined;
      open.push(character === '{' ? '}' : ']');
    } else if (character === '}' || character === ']') {
      open.pop();
      if (open.length === 0) return { json: text.slice(0, at), complete: true };
    }
    if ('{[}]'.includes(character)) [safe, safeOpen] = [at, [...open]];
    else if (character === ',') [safe, safeOpen] = [at - 1, [...open]];
  }
  return closed(text, safe, safeOpen);
}

const closed = (text: string, safe: number, open: readonly string[]): ClosedJson | undefined =>
  safe === 0 ? undefined : { json: text.slice(0, safe) + closing(open), complete: false };

const closing = (open: readonly string[]): string => open.toReversed().join('');

function stringEnd(text: string, from: number): number | undefined {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}

type CutString = {
  readonly at: number;
  readonly open: readonly string[];
  readonly safe: number;
  readonly safeOpen: readonly string[];
};

function cutString(text: string, { at, open, safe, safeOpen }: CutString): ClosedJson | undefined {
  const before = text.slice(0, at).trimEnd();
  const isValue = before.endsWith(':') || open.at(-1) === ']';
  if (!isValue) return closed(text, safe, safeOpen);
  // Half an escape goes with the run that it stands in, or is taken off here.
  const kept = withoutLastRun(text.slice(at + 1).replace(/\\(?:u[0-9a-fA-F]{0,3})?$/, '')).replace(
    /(?<!\\)((?:\\\\){0,64})\\$/,
    '$1',
  );
  return { json: `${text.slice(0, at)}"${kept}${CUT_MARK}"${closing(open)}`, complete: false };
}
