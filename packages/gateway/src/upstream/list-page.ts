/** One page of an upstream's list, taken apart: each definition parsed and frozen, beside its exact original text. */

import { isJsonObject } from '../model/json.ts';
import type { Json } from '../model/json.ts';
import type { ListKind } from '../model/operation.ts';
import type { Freshness, ListedItem } from '../model/outcome.ts';
import { err, ok } from '../model/result.ts';
import type { Result } from '../model/result.ts';
import { MAX_DEPTH, skipColon, skipSpace, skipString, skipValue } from '../protocol/json-scan.ts';
import { parseJson } from '../protocol/json-text.ts';

export type ListPageContent = {
  readonly items: readonly ListedItem[];
  /** Elements that are no definitions: how many, and why the first is none. */
  readonly malformed: number;
  readonly nextCursor?: string;
  readonly freshness: Freshness;
};

/** The member of the result that holds the list (MCP 2025-11-25 and 2026-07-28, schema). */
const MEMBERS = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resourceTemplates',
} as const satisfies Record<ListKind, string>;

/** What every definition is known by. */
const IDENTITIES = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  templates: 'uriTemplate',
} as const satisfies Record<ListKind, string>;

const COMMA = 0x2c;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;

type Span = { readonly start: number; readonly end: number };

/** `bytes` is the result object. The error completes the sentence "the list is not valid: it …". */
export function readListPage(of: ListKind, bytes: Uint8Array): Result<ListPageContent, string> {
  const members = membersOf(bytes);
  if (members === undefined) return err('is not valid JSON');
  const list = members.get(MEMBERS[of]);
  if (list === undefined) return err(`has no member "${MEMBERS[of]}"`);
  const elements = elementsOf(bytes, list);
  if (elements === undefined) return err(`has a member "${MEMBERS[of]}" that is not an array`);
  const items: ListedItem[] = [];
  for (const element of elements) {
    const item = readItem(IDENTITIES[of], bytes, element);
    if (item !== undefined) items.push(item);
  }
  const cursor = valueOf(bytes, members.get('nextCursor'));
  return ok({
    items,
    malformed: elements.length - items.length,
    // An empty cursor is a cursor.
    ...(typeof cursor === 'string' ? { nextCursor: cursor } : {}),
    freshness: readFreshness(valueOf(bytes, members.get('ttlMs')), valueOf(bytes, members.get('cacheScope'))),
  });
}

/** Absent means stale at once and for nobody else (MCP 2026-07-28, server/utilities/caching). */
function readFreshness(ttlMs: Json | undefined, scope: Json | undefined): Freshness {
  const usable = typeof ttlMs === 'number' && Number.isFinite(ttlMs) && ttlMs > 0;
  return { ttlMs: usable ? Math.floor(ttlMs) : 0, scope: scope === 'public' ? 'public' : 'private' };
}

/**
 * A definition with a key twice would be read by us in one way and perhaps by a client in another. What was screened must
 * be what is shown, so the text of such a definition is written anew.
 */
function readItem(identity: string, bytes: Uint8Array, span: Span): ListedItem | undefined {
  const text = textOf(bytes, span);
  const strict = parseJson(text, { maxDepth: MAX_DEPTH });
  const fault = strict.ok ? undefined : strict.error.code;
  const isReadable = fault === 'duplicate-key' || fault === 'unsafe-number';
  const definition = strict.ok ? strict.value : isReadable ? parse(text) : undefined;
  if (!isJsonObject(definition)) return undefined;
  // The strict parser names one fault: one that is borne with may stand before the key that is not.
  if (isReadable && holdsPrototypeKey(definition)) return undefined;
  const name = definition[identity];
  if (typeof name !== 'string' || name === '') return undefined;
  return { definition: deepFreeze(definition), text: fault === 'duplicate-key' ? JSON.stringify(definition) : text };
}

/** Recursion is bounded: what is nested too deep was refused before. */
const holdsPrototypeKey = (value: Json | undefined): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (Object.hasOwn(value, '__proto__') || Object.values(value).some(holdsPrototypeKey));

function deepFreeze<T extends Json>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) if (inner !== undefined) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

/** The last of two equal keys counts, as for every parser of JavaScript. */
function membersOf(bytes: Uint8Array): Map<string, Span> | undefined {
  const members = new Map<string, Span>();
  let index = skipSpace(bytes, 0);
  if (bytes[index] !== BRACE_OPEN) return undefined;
  index = skipSpace(bytes, index + 1);
  if (bytes[index] === BRACE_CLOSE) return members;
  for (;;) {
    const keyEnd = skipString(bytes, index);
    if (keyEnd < 0) return undefined;
    const start = skipColon(bytes, keyEnd);
    const end = start < 0 ? start : skipValue(bytes, start);
    if (end < 0) return undefined;
    const key = parse(textOf(bytes, { start: index, end: keyEnd }));
    if (typeof key !== 'string') return undefined;
    members.set(key, { start, end });
    index = skipSpace(bytes, end);
    if (bytes[index] === BRACE_CLOSE) return members;
    if (bytes[index] !== COMMA) return undefined;
    index = skipSpace(bytes, index + 1);
  }
}

function elementsOf(bytes: Uint8Array, { start }: Span): Span[] | undefined {
  if (bytes[start] !== BRACKET_OPEN) return undefined;
  const elements: Span[] = [];
  let index = skipSpace(bytes, start + 1);
  while (bytes[index] !== BRACKET_CLOSE) {
    const end = skipValue(bytes, index);
    if (end < 0) return undefined;
    elements.push({ start: index, end });
    index = skipSpace(bytes, end);
    if (bytes[index] === COMMA) index = skipSpace(bytes, index + 1);
  }
  return elements;
}

const textOf = (bytes: Uint8Array, { start, end }: Span): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');

const valueOf = (bytes: Uint8Array, span: Span | undefined): Json | undefined =>
  span === undefined ? undefined : parse(textOf(bytes, span));

function parse(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
