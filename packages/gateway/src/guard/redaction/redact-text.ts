/** Takes secrets and personal data out of one text. What was found is replaced by `[redacted:<rule>]`. */

import type { PersonalData } from '../../model/redaction.ts';
import { findEncodedPrivateKeys, findHttpCredentials, findJsonWebTokens, findPrivateKeys } from './encoded-keys.ts';
import { findKeysOfJwks } from './json-web-keys.ts';
import { findNamedValues } from './named-values.ts';
import { findAddresses, findCards, findEmails, findIbans, findPhones, findSocialSecurityNumbers } from './personal.ts';
import type { Finder } from './rule.ts';
import { findFlagPasswords, findUrlPasswords } from './urls.ts';
import { findVendorTokens } from './vendor-tokens.ts';

export type TextRedactor = {
  /** The text without what was found; the names of the rules that found something are added to `rules`. */
  redact(text: string, rules: Set<string>): string;
  /** Is data of this kind taken out? */
  takes(kind: PersonalData): boolean;
};

/** Never switched off. */
const SECRETS: readonly Finder[] = [
  findPrivateKeys,
  findEncodedPrivateKeys,
  findJsonWebTokens,
  findVendorTokens,
  findHttpCredentials,
  findUrlPasswords,
  findFlagPasswords,
  findKeysOfJwks,
];

/** Each is asked only about texts that have what it could not do without. */
const PERSONAL: Readonly<Record<PersonalData, Finder>> = {
  email: findEmails,
  card: findCards,
  iban: findIbans,
  ssn: findSocialSecurityNumbers,
  phone: findPhones,
  ip: findAddresses,
};

const NUMBERS: ReadonlySet<PersonalData> = new Set(['card', 'iban', 'ssn', 'phone']);

/** Shorter texts hold no secret that could be told from a word. */
const LEAST_CHARS = 6;
/** What the numbers of people have at least: two digits beside each other or nearly so. */
const SOME_DIGITS = /\d[ ().\-/]{0,2}\d[ ().\-/]{0,2}\d/;

export function createTextRedactor(
  personal: ReadonlySet<PersonalData>,
  patterns: readonly Finder[] = [],
): TextRedactor {
  const kinds = Object.keys(PERSONAL)
    .filter(isKind)
    .filter((kind) => personal.has(kind));
  const others = kinds.filter((kind) => !NUMBERS.has(kind)).map((kind) => PERSONAL[kind]);
  const numbers = kinds.filter((kind) => NUMBERS.has(kind)).map((kind) => PERSONAL[kind]);
  const skipped = new Set<string>(Object.keys(PERSONAL).filter((kind) => isKind(kind) && !personal.has(kind)));
  const finders = [...SECRETS, ...patterns, ...others];

  return {
    redact(text, rules) {
      if (text.length < LEAST_CHARS) return text;
      const spans: Span[] = [];
      const found = (name: string, start: number, end: number): void => {
        if (!skipped.has(name) && end > start) spans.push({ name, start, end, rank: spans.length });
      };
      for (const find of finders) find(text, found);
      findNamedValues(text, found);
      if (numbers.length > 0 && SOME_DIGITS.test(text)) for (const find of numbers) find(text, found);
      return spans.length === 0 ? text : without(text, spans, rules);
    },
    takes: (kind) => personal.has(kind),
  };
}

const isKind = (kind: string): kind is PersonalData => Object.hasOwn(PERSONAL, kind);

/** `rank`: when it was found, which is the order of the rules. */
export type Span = { readonly name: string; readonly start: number; readonly end: number; readonly rank: number };

/** What overlaps is taken out together, under the name of whoever comes first in the order of the rules. */
export function without(text: string, spans: readonly Span[], rules: Set<string>): string {
  const ordered = spans.toSorted((one, other) => one.start - other.start);
  let kept = '';
  let at = 0;
  for (let index = 0; index < ordered.length;) {
    const first = ordered[index];
    if (first === undefined) break;
    let { end, name, rank } = first;
    index += 1;
    for (let next = ordered[index]; next !== undefined && next.start < end; next = ordered[++index]) {
      end = Math.max(end, next.end);
      if (next.rank < rank) ({ rank, name } = next);
    }
    rules.add(name);
    kept += `${text.slice(at, first.start)}[redacted:${name}]`;
    at = end;
  }
  return kept + text.slice(at);
}
