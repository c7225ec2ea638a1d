/** Does a text look as if a machine had drawn it? For values that only stand beside the name of a credential. */

import { ALNUM, isIn } from './rule.ts';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const HEX = /^[0-9a-f]+$/i;

/** More says nothing new. */
const LOOK_AT_CHARS = 256;

/** Measured over words, paths, dates and camelCase: below 0.25. Random base62 and base64: 0.5 and more. */
const LEAST_CHANGES = 0.3;
const LEAST_BITS = 3.2;

/** Letters and digits that change kind all the time. Neither ids (UUIDs, digests in hex) nor words, paths or numbers do. */
export function looksRandom(text: string, leastChars = 16): boolean {
  if (text.length < leastChars) return false;
  const seen = text.slice(0, LOOK_AT_CHARS);
  if (UUID.test(seen) || HEX.test(seen) || !/\d/.test(seen) || !/[A-Za-z]/.test(seen)) return false;
  return changes(seen) >= LEAST_CHANGES && bitsPerCharacter(seen) >= LEAST_BITS;
}

/** A digest or a key in hex: which of them it is, only the name beside it tells. */
export const isLongHex = (text: string): boolean =>
  text.length >= 24 && HEX.test(text) && /\d/.test(text) && /[a-f]/i.test(text);

/** How often a lower-case letter, an upper-case letter and a digit follow one another. */
function changes(text: string): number {
  let before = 0;
  let count = 0;
  let letters = 0;
  for (let at = 0; at < text.length; at++) {
    if (!isIn(ALNUM, text, at)) continue;
    const code = text.charCodeAt(at);
    const kind = code < 0x3a ? 1 : code < 0x5b ? 2 : 3;
    if (before !== 0 && kind !== before) count++;
    before = kind;
    letters++;
  }
  return letters < 2 ? 0 : count / (letters - 1);
}

/** Shannon's entropy of the characters, each by itself. */
export function bitsPerCharacter(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
