/**
 * Regular expressions of tool schemas, matched in linear time (RE2). What RE2 lacks is done without where that says the
 * same: leading lookaheads become expressions of their own. The rest runs on the backtracking engine, and `linear: false`
 * tells the caller to do that only where it can be stopped.
 */

import { RE2JS } from 're2js';

import { err, ok, type Result } from '../model/result.ts';

export type Pattern = {
  readonly source: string;
  readonly linear: boolean;
  /** Instructions: the time for one character grows with it. */
  readonly size: number;
  readonly test: (text: string) => boolean;
};

const MAX_PATTERN_LENGTH = 4096;

/** Instructions of one expression. Beyond it even linear time is too long. */
const MAX_SIZE = 20_000;

/** ECMAScript knows these escapes of letters and digits; in old-style expressions any other stands for itself. */
const KNOWN_ESCAPE = /\\[^dDwWsSbBnrtfvuxcpPk0\W]/u;

/** The error says why the pattern cannot be used. */
export function compilePattern(source: string): Result<Pattern, string> {
  if (source.length > MAX_PATTERN_LENGTH) return err(`it is longer than ${MAX_PATTERN_LENGTH} characters`);
  const native = nativeExpression(source);
  if (native === undefined) return err('it is not a regular expression');
  const parts = native.unicode || !KNOWN_ESCAPE.test(source) ? linearParts(source) : undefined;
  if (parts === undefined) {
    return ok({ source, linear: false, size: source.length, test: (text) => native.test(text) });
  }
  const size = parts.reduce((sum, part) => sum + part.expression.programSize(), 0);
  if (size > MAX_SIZE) return err('it is too large');
  const [only, ...others] = parts;
  const expression = only?.expression;
  if (expression !== undefined && others.length === 0) {
    return ok({ source, linear: true, size, test: (text) => expression.test(text) });
  }
  return ok({
    source,
    linear: true,
    size,
    test: (text) => parts.every((part) => part.expression.test(text) === part.wanted),
  });
}

/** JSON Schema 2020-12 section 6.4 wants Unicode expressions; many schemas have older ones. */
function nativeExpression(source: string): RegExp | undefined {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(source, flags);
    } catch {
      // The other kind, or none.
    }
  }
  return undefined;
}

type Part = { readonly expression: RE2JS; readonly wanted: boolean };

/** All of them must match as wanted; `undefined` when RE2 cannot say it. */
function linearParts(source: string): readonly Part[] | undefined {
  const { lookaheads, rest } = leadingLookaheads(source);
  const parts: Part[] = [];
  for (const { text, wanted } of [...lookaheads, { text: rest, wanted: true }]) {
    const expression = linearExpression(text);
    if (expression === undefined) return undefined;
    parts.push({ expression, wanted });
  }
  return parts;
}

function linearExpression(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(source));
  } catch {
    return undefined;
  }
}

type Lookahead = { readonly text: string; readonly wanted: boolean };

/**
 * `^(?!a)(?=b)c` says that `^(?:a)` must not match, that `^(?:b)` must, and `^c` too: all three look from the same place,
 * the start. True only while `^` holds for the whole expression, so not when there are alternatives at the top.
 */
function leadingLookaheads(source: string): { readonly lookaheads: readonly Lookahead[]; readonly rest: string } {
  const lookaheads: Lookahead[] = [];
  let at = 1;
  while (source.startsWith('^') && (source.startsWith('(?!', at) || source.startsWith('(?=', at))) {
    const end = endOfGroup(source, at);
    if (end === undefined) break;
    lookaheads.push({ text: `^(?:${source.slice(at + 3, end)})`, wanted: source[at + 2] === '=' });
    at = end + 1;
  }
  const rest = `^${source.slice(at)}`;
  // A quantifier after a lookahead, or alternatives: not what was said above.
  if (lookaheads.length === 0 || /^\^[*+?{]/u.test(rest) || hasTopLevelAlternative(rest)) {
    return { lookaheads: [], rest: source };
  }
  return { lookaheads, rest };
}

function endOfGroup(source: string, start: number): number | undefined {
  let depth = 0;
  for (const { at, character } of structure(source, start)) {
    if (character === '(') depth++;
    if (character === ')' && --depth === 0) return at;
  }
  return undefined;
}

function hasTopLevelAlternative(source: string): boolean {
  let depth = 0;
  for (const { character } of structure(source, 0)) {
    if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === '|' && depth === 0) return true;
  }
  return false;
}

/** The characters that are neither escaped nor in a class. */
function* structure(source: string, start: number): Generator<{ readonly at: number; readonly character: string }> {
  let inClass = false;
  for (let at = start; at < source.length; at++) {
    const character = source[at] ?? '';
    if (character === '\\') at++;
    else if (inClass) inClass = character !== ']';
    else if (character === '[') inClass = true;
    else yield { at, character };
  }
}
