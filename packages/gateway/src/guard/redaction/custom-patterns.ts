/** An operator's own patterns: expressions of RE2, so that none of them can take longer than linear time. */

import { RE2JS } from 're2js';

import { err, ok, type Result } from '../../model/result.ts';
import type { Finder } from './rule.ts';

export type CustomPattern = { readonly name: string; readonly regex: string };

/** Instructions: linear time is their number times the text. */
const MAX_SIZE = 2_000;
/** Of one pattern in one text. */
const MAX_MATCHES = 10_000;

/** The error says why the pattern cannot be used. */
export function compileCustomPattern({ name, regex }: CustomPattern): Result<Finder, string> {
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(RE2JS.translateRegExp(regex));
  } catch (error) {
    return err(`it is not an expression of RE2: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (expression.programSize() > MAX_SIZE) return err('it is too large');
  if (expression.test('')) return err('it matches the empty text, so it would match everywhere');
  return ok((text, found) => {
    const matcher = expression.matcher(text);
    for (let count = 0; count < MAX_MATCHES && matcher.find(); count++) found(name, matcher.start(), matcher.end());
  });
}
