/**
 * Strict JSON for what clients send. A parser keeps the last of two equal keys and rounds large integers in silence, while
 * the server behind us may keep the first, or every digit: policy would then judge another request than the one that is
 * carried out. So such texts are refused, with the place where they go wrong.
 */

import { failure, type Failure, type FailureCode } from '../model/failure.ts';
import { isJsonObject, type Json } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { syntaxErrorAt } from './json-syntax.ts';

export type JsonLimits = {
  /** How many arrays and objects may stand inside one another. */
  readonly maxDepth: number;
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;

/** Most strings end within this many characters; for longer ones a native search is faster. */
const SHORT_STRING = 40;

/** In place of a number of keys: something in the value is refused. */
const REFUSED = -1;

/**
 * The value of a JSON text, or `parse-error`, `duplicate-key`, `unsafe-number` or `too-deep`. Keys are compared after
 * their escapes are decoded. `__proto__` is no key we accept: copied by assignment it would change a prototype.
 */
export function parseJson(text: string, limits: JsonLimits): Result<Json, Failure> {
  const keysInText = countKeys(text, limits.maxDepth);
  if (keysInText < 0) return refuse('too-deep', `The body is nested deeper than ${limits.maxDepth} levels.`);
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    // V8's own message quotes the text around the error, which may hold a secret: only the position is told.
    return refuse('parse-error', `The body is not valid JSON: ${syntaxErrorAt(text)}.`);
  }
  // Every key in the text has one colon. Where two keys were equal, the value has fewer keys than the text has colons.
  if (countSafeKeys(value) === keysInText) return ok(value);
  return findDuplicate(text) ?? findRefused(value, []) ?? err(failure('duplicate-key'));
}

const refuse = (code: FailureCode, message: string): Result<never, Failure> => err(failure(code, { message }));

/** Past the closing quote of the string that opens at `from`, or the length when it never closes. */
function skipString(text: string, from: number): number {
  const { length } = text;
  const near = Math.min(length, from + SHORT_STRING);
  let index = from + 1;
  while (index < near) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) return index + 1;
    index += code === BACKSLASH ? 2 : 1;
  }
  const floor = index;
  while (index < length) {
    const quote = text.indexOf('"', index);
    if (quote < 0) return length;
    // A quote is escaped when an odd run of backslashes stands before it.
    let slash = quote - 1;
    while (slash >= floor && text.charCodeAt(slash) === BACKSLASH) slash -= 1;
    index = quote + 1;
    if ((quote - slash) % 2 === 1) return index;
  }
  return length;
}

/** Colons outside of strings, or -1 when the nesting is too deep. Takes any text: syntax is the parser's to judge. */
function countKeys(text: string, maxDepth: number): number {
  const { length } = text;
  let depth = 0;
  let keys = 0;
  let index = 0;
  while (index < length) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) {
      index = skipString(text, index);
      continue;
    }
    if (code === COLON) keys += 1;
    else if (code === BRACE_OPEN || code === BRACKET_OPEN) {
      depth += 1;
      if (depth > maxDepth) return -1;
    } else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) depth -= 1;
    index += 1;
  }
  return keys;
}

const isUnsafe = (value: number): boolean =>
  !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value));

/** Recursion is bounded: the depth of the text was checked before it was parsed. */
function countSafeKeys(value: Json | undefined): number {
  if (typeof value === 'number') return isUnsafe(value) ? REFUSED : 0;
  if (typeof value !== 'object' || value === null) return 0;
  let keys = 0;
  if (isJsonObject(value)) {
    // What JSON.parse makes inherits no enumerable property, so `for in` sees own keys only, without an array of them.
    for (const key in value) {
      if (key === '__proto__') return REFUSED;
      const found = countSafeKeys(value[key]);
      if (found === REFUSED) return REFUSED;
      keys += found + 1;
    }
    return keys;
  }
  for (const element of value) {
    const found = countSafeKeys(element);
    if (found === REFUSED) return REFUSED;
    keys += found;
  }
  return keys;
}

const pathText = (path: readonly (string | number)[]): string =>
  path
    .map((step) =>
      typeof step === 'number'
        ? `[${step}]`
        : /^[A-Za-z_$][\w$]*$/.test(step)
          ? `.${step}`
          : `[${JSON.stringify(step)}]`,
    )
    .join('')
    .replace(/^\./, '');

function findRefused(value: Json | undefined, path: readonly (string | number)[]): Result<never, Failure> | undefined {
  if (typeof value === 'number') {
    if (!isUnsafe(value)) return undefined;
    const where = pathText(path) || 'the body';
    return refuse(
      'unsafe-number',
      `The number at ${where} cannot be represented exactly. Send it as a string, or below 2^53.`,
    );
  }
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') {
      return refuse('parse-error', `The key "__proto__" at ${pathText(path) || 'the top'} is not accepted.`);
    }
    const found = findRefused(member, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A container the search stands in, and where in it: the last key, or the index. */
type Open = { readonly keys: Set<string> | undefined; step: string | number };

/** Is the string that ends at `from` a key? */
function isKey(text: string, from: number): boolean {
  let index = from;
  while (index < text.length && text.charCodeAt(index) <= 0x20) index += 1;
  return text.charCodeAt(index) === COLON;
}

/** Finds where a valid text repeats a key. Off the hot path: only the answer to a refused body is made here. */
function findDuplicate(text: string): Result<never, Failure> | undefined {
  const open: Open[] = [];
  let index = 0;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    const current = open.at(-1);
    const next = code === QUOTE ? skipString(text, index) : index + 1;
    if (code === QUOTE && current?.keys !== undefined && isKey(text, next)) {
      const key = String(JSON.parse(text.slice(index, next)));
      current.step = key;
      if (current.keys.has(key)) {
        const where = pathText(open.map(({ step }) => step));
        return refuse('duplicate-key', `The key at ${where} stands twice in its object. Send each key once.`);
      }
      current.keys.add(key);
    } else if (code === BRACE_OPEN) open.push({ keys: new Set(), step: '' });
    else if (code === BRACKET_OPEN) open.push({ keys: undefined, step: 0 });
    else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) open.pop();
    else if (code === COMMA && typeof current?.step === 'number') current.step += 1;
    index = next;
  }
  return undefined;
}
