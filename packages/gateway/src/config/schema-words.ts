/** The kinds of value that settings are made of. */

import * as z from 'zod';

import type { Result } from '../model/result.ts';
import type { ValueConfig } from './secrets-config.ts';
import { misspelledKind, parseValue, wantedReference } from './references.ts';
import {
  DURATION,
  parseDurationMs,
  parseListenAddress,
  parsePeriodMs,
  parseRate,
  parseSizeBytes,
  RATE,
  SIZE,
} from './units.ts';

export const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** A text that a parser of ours turns into a value. */
function parsed<T>(pattern: RegExp, parse: (text: string) => Result<T, string>) {
  return z
    .string()
    .meta({ pattern: pattern.source })
    .transform((text, context): T => {
      const result = parse(text);
      if (result.ok) return result.value;
      context.addIssue({ code: 'custom', message: `"${text}" ${result.error}.` });
      return z.NEVER;
    });
}

export const duration = parsed(DURATION, parseDurationMs);
/** For what is kept, or long ago: longer than a timer can wait. */
export const period = parsed(DURATION, parsePeriodMs);
export const size = parsed(SIZE, parseSizeBytes);
export const rate = parsed(RATE, parseRate);
export const address = parsed(/^(?:.*:)?\d{1,5}$/, parseListenAddress);
export const name = z.string().min(1).max(200);
export const glob = z.string().min(1).max(1000);
/** What `allow` compiles to knows one wildcard; in a URI, `?` is an ordinary character. */
export const namePattern = glob.refine((text) => !text.includes('?'), {
  message: 'uses "?"; only * is a wildcard here.',
});
/** RFC 6749 section 3.3: no spaces, quotes or backslashes, so that it can stand in a challenge as it is. */
export const scope = z
  .string()
  .max(200)
  .regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/);
export const count = z.int().min(1).max(1_000_000);
export const filePath = z.string().min(1);

export const value = z.union([z.string(), z.number(), z.boolean()]).transform((written, context): ValueConfig => {
  const text = String(written);
  const reference = parseValue(text);
  const meant = reference?.kind === 'literal' ? misspelledKind(text) : undefined;
  if (reference !== undefined && meant === undefined) return reference;
  context.addIssue({
    code: 'custom',
    message: meant === undefined ? wantedReference(text) : `is no known reference. Did you mean ${meant}:?`,
  });
  return z.NEVER;
});
