/** What looks for secrets and personal data: finders, and the alphabets that they walk along. */

/** `name` stands in the text instead of what was found, and in the record: `[redacted:<name>]`. */
export type Found = (name: string, start: number, end: number) => void;

/** Linear in the text, whatever stands in it: runs are walked once, and every repetition in a pattern has a bound. */
export type Finder = (text: string, found: Found) => void;

/** One table lookup a character: the alphabets that tokens, numbers and names are written in. */
export type Alphabet = Uint8Array;

export function alphabet(characters: string): Alphabet {
  const table = new Uint8Array(128);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const ALNUM_TEXT = LOWER + LOWER.toUpperCase() + DIGITS;

export const DIGIT = alphabet(DIGITS);
export const ALNUM = alphabet(ALNUM_TEXT);
export const BASE64URL = alphabet(`${ALNUM_TEXT}-_`);
/** Of either kind, as encoders and people mix them. */
export const BASE64 = alphabet(`${ALNUM_TEXT}+/=-_`);
/** RFC 6750 section 2.1, `b64token`. */
export const BEARER = alphabet(`${ALNUM_TEXT}-._~+/=`);
export const NAME = alphabet(`${ALNUM_TEXT}_-.`);

export const isIn = (table: Alphabet, text: string, at: number): boolean => table[text.charCodeAt(at)] === 1;

/** Where the run of such characters ends that `from` stands in. */
export function runEnd(table: Alphabet, text: string, from: number, until = text.length): number {
  let at = from;
  while (at < until && isIn(table, text, at)) at++;
  return at;
}

/** Where the run begins that ends before `from`; no further back than `from - most`. */
export function runStart(table: Alphabet, text: string, from: number, most: number): number {
  const least = Math.max(0, from - most);
  let at = from;
  while (at > least && isIn(table, text, at - 1)) at--;
  return at;
}
