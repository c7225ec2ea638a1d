/**
 * JSON text for the record, in printable ASCII only: control characters, bidirectional marks, line separators and lone
 * surrogates cannot forge a line, move a terminal's cursor or break a strict parser. Deterministic: the same value is
 * always the same text, because fingerprints are made of it.
 */

import type { Json } from '../model/json.ts';

const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const NOT_PRINTABLE_ASCII = /[^\x20-\x7e]/g;

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** `text` as a JSON string; what is longer than `maxChars` is cut and ends in `…`. Lone surrogates become U+FFFD. */
export function quote(text: string, maxChars = 512): string {
  const whole = text.length <= maxChars;
  if (whole && PLAIN.test(text)) return `"${text}"`;
  const kept = whole ? text : `${text.slice(0, maxChars)}…`;
  return JSON.stringify(kept.toWellFormed()).replace(NOT_PRINTABLE_ASCII, escapeUnit);
}

/**
 * `text` as a JSON string of at most `maxAscii` characters, its quotes and escapes included: for text whose author decides
 * how many escapes it needs.
 */
export function quoteWithin(text: string, maxAscii: number): string {
  let kept = text.slice(0, maxAscii);
  let quoted = quote(kept.length < text.length ? `${kept}\u2026` : text, maxAscii + 1);
  while (quoted.length > maxAscii) {
    // Escapes are six characters for one at most, so this ends after a few rounds.
    kept = kept.slice(0, Math.floor((kept.length * maxAscii) / quoted.length) - 1);
    quoted = quote(`${kept}\u2026`, maxAscii + 1);
  }
  return quoted;
}

/** Any small value that we made ourselves, as ASCII JSON. */
export function asciiJson(value: Json): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'string' ? member.toWellFormed() : member,
  ).replace(NOT_PRINTABLE_ASCII, escapeUnit);
}
