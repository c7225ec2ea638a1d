/**
 * The digest that stands in the record instead of a call's arguments: SHA-256 over their canonical JSON (RFC 8785), so
 * that anyone who has the arguments can show that they were these. The work is bounded whatever a client sends.
 */

import { hash } from 'node:crypto';

import type { Json, JsonObject } from '../model/json.ts';

export type DigestBounds = {
  /** Characters of canonical text that are hashed. Hashing this many takes well below a millisecond. */
  readonly maxChars: number;
  /** Objects with more keys keep the order they came in: sorting them would block everyone else. */
  readonly maxSortedKeys: number;
  readonly maxDepth: number;
};

const BOUNDS: DigestBounds = { maxChars: 65_536, maxSortedKeys: 4096, maxDepth: 200 };

/** Escapes make text longer, never shorter; two more units keep a cut surrogate pair beyond the bound. */
const SURROGATE_MARGIN = 2;

/** `whole` is false when `text` is only how the canonical text begins. */
type Canonical = { text: string; whole: boolean; readonly bounds: DigestBounds };

/** Text that JSON writes as it is: nearly all of it, and asking costs a fifth of what stringifying does. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const MAX_PLAIN_CHARS = 512;

function writeString(into: Canonical, value: string): void {
  if (value.length <= MAX_PLAIN_CHARS && PLAIN.test(value)) {
    into.text += `"${value}"`;
    return;
  }
  const left = into.bounds.maxChars - into.text.length;
  if (value.length > left + SURROGATE_MARGIN) {
    into.whole = false;
    into.text += JSON.stringify(value.slice(0, left + SURROGATE_MARGIN));
    return;
  }
  into.text += JSON.stringify(value);
}

function writeArray(into: Canonical, value: readonly Json[], depth: number): void {
  into.text += '[';
  for (let index = 0; index < value.length && into.whole; index++) {
    if (index > 0) into.text += ',';
    write(into, value[index] ?? null, depth + 1);
  }
  into.text += ']';
}

function writeObject(into: Canonical, value: JsonObject, depth: number): void {
  const keys = Object.keys(value);
  if (keys.length > into.bounds.maxSortedKeys) into.whole = false;
  else keys.sort();
  into.text += '{';
  let first = true;
  for (const key of keys) {
    const member = value[key];
    if (member === undefined) continue;
    if (!first) into.text += ',';
    first = false;
    writeString(into, key);
    into.text += ':';
    write(into, member, depth + 1);
    if (into.text.length > into.bounds.maxChars) break;
  }
  into.text += '}';
}

function write(into: Canonical, value: Json, depth: number): void {
  if (into.text.length > into.bounds.maxChars || depth > into.bounds.maxDepth) {
    into.whole = false;
    return;
  }
  if (typeof value === 'string') writeString(into, value);
  else if (typeof value !== 'object' || value === null) into.text += JSON.stringify(value);
  else if (isArray(value)) writeArray(into, value, depth);
  else writeObject(into, value, depth);
}

const isArray = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);

/** How the canonical JSON of any value begins: at most so many characters, for the price of as many. */
export function canonicalStart(value: Json, maxChars: number): string {
  const canonical: Canonical = { text: '', whole: true, bounds: { ...BOUNDS, maxChars } };
  write(canonical, value, 0);
  return canonical.text.slice(0, maxChars);
}

/**
 * `sha256:<hex>` over the canonical JSON of `value`. Where that is longer than the bound, `sha256-first-<n>:<hex>` over
 * its first `n` characters: still proof of how the arguments began, and honest about the rest.
 */
export function digestOf(value: JsonObject, bounds: DigestBounds = BOUNDS): string {
  const canonical: Canonical = { text: '', whole: true, bounds };
  write(canonical, value, 0);
  if (canonical.whole && canonical.text.length <= bounds.maxChars) return `sha256:${hash('sha256', canonical.text)}`;
  return `sha256-first-${bounds.maxChars}:${hash('sha256', canonical.text.slice(0, bounds.maxChars))}`;
}
