/**
 * Walks over JSON text in bytes without making values of it: where does this value end? Structure is checked (brackets,
 * commas, colons, literals); what stands inside strings is skipped, not judged. Positions are indexes into the bytes.
 */

/** The bytes ended before the value did. */
export const INCOMPLETE = -1;
/** This is not JSON. */
export const INVALID = -2;

/** Deeper nesting is `INVALID`: no parser behind us has to survive it. */
export const MAX_DEPTH = 512;

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const BRACE_OPEN = 0x7b;
export const BRACE_CLOSE = 0x7d;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;

/** Most strings end within this many bytes; for longer ones a native search pays. Measured on tool results. */
const SHORT_STRING = 48;

const LITERALS: Readonly<Record<number, readonly number[]>> = {
  0x74: [0x72, 0x75, 0x65],
  0x66: [0x61, 0x6c, 0x73, 0x65],
  0x6e: [0x75, 0x6c, 0x6c],
};

/** The index of the first byte at or after `from` that is not white space, or the length. */
export function skipSpace(bytes: Uint8Array, from: number): number {
  let index = from;
  while (index < bytes.length) {
    const byte = bytes[index];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return index;
    index += 1;
  }
  return index;
}

/** Past the closing quote of the string whose opening quote stands at `from`. */
export function skipString(bytes: Uint8Array, from: number): number {
  const { length } = bytes;
  const near = Math.min(length, from + SHORT_STRING);
  let index = from + 1;
  while (index < near) {
    const byte = bytes[index];
    if (byte === QUOTE) return index + 1;
    index += byte === BACKSLASH ? 2 : 1;
  }
  // The native search finds quotes, escaped ones too: those have an odd run of backslashes before them. Runs are counted
  // back to `floor` only, where the loop above stood outside any escape.
  const floor = index;
  while (index < length) {
    const quote = bytes.indexOf(QUOTE, index);
    if (quote < 0) return INCOMPLETE;
    let slash = quote - 1;
    while (slash >= floor && bytes[slash] === BACKSLASH) slash -= 1;
    if ((quote - slash) % 2 === 1) return quote + 1;
    index = quote + 1;
  }
  return INCOMPLETE;
}

function skipLiteral(bytes: Uint8Array, from: number): number {
  const rest = LITERALS[bytes[from] ?? 0];
  if (rest === undefined) return INVALID;
  let index = from + 1;
  for (const expected of rest) {
    if (index >= bytes.length) return INCOMPLETE;
    if (bytes[index] !== expected) return INVALID;
    index += 1;
  }
  return index;
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** Numbers are taken by their characters, not by their grammar: `1-2` passes here and fails where it is parsed. */
function skipNumber(bytes: Uint8Array, from: number): number {
  let index = from + 1;
  while (index < bytes.length) {
    const byte = bytes[index] ?? 0;
    const inNumber = isDigit(byte) || byte === 0x2e || byte === 0x2b || byte === 0x2d || (byte | 0x20) === 0x65;
    if (!inNumber) return index;
    index += 1;
  }
  // A number ends where something else begins; every value we are asked about stands inside an object.
  return INCOMPLETE;
}

function skipScalar(bytes: Uint8Array, from: number): number {
  const byte = bytes[from] ?? 0;
  if (byte === QUOTE) return skipString(bytes, from);
  if (isDigit(byte) || byte === 0x2d) return skipNumber(bytes, from);
  return skipLiteral(bytes, from);
}

/** From behind a key, past the colon, to the first byte of the value (or `INCOMPLETE`, `INVALID`). */
export function skipColon(bytes: Uint8Array, keyEnd: number): number {
  const colon = bytes[keyEnd] === COLON ? keyEnd : skipSpace(bytes, keyEnd);
  if (colon >= bytes.length) return INCOMPLETE;
  if (bytes[colon] !== COLON) return INVALID;
  const value = skipSpace(bytes, colon + 1);
  return value >= bytes.length ? INCOMPLETE : value;
}

function skipKey(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== QUOTE) return INVALID;
  const keyEnd = skipString(bytes, from);
  return keyEnd < 0 ? keyEnd : skipColon(bytes, keyEnd);
}

/** Which brackets are open. One walk runs at a time (nothing here awaits), so one stack serves all. */
const openIsObject = new Uint8Array(MAX_DEPTH);

/** Past the end of the value that starts at `from`, which must not be white space. */
export function skipValue(bytes: Uint8Array, from: number): number {
  let index = from;
  let depth = 0;
  for (;;) {
    if (index >= bytes.length) return INCOMPLETE;
    const byte = bytes[index];
    if (byte === BRACE_OPEN || byte === BRACKET_OPEN) {
      if (depth === MAX_DEPTH) return INVALID;
      const isObject = byte === BRACE_OPEN;
      openIsObject[depth] = isObject ? 1 : 0;
      depth += 1;
      index = skipSpace(bytes, index + 1);
      if (index >= bytes.length) return INCOMPLETE;
      if (bytes[index] !== (isObject ? BRACE_CLOSE : BRACKET_CLOSE)) {
        if (isObject) index = skipKey(bytes, index);
        if (index < 0) return index;
        continue;
      }
    } else {
      index = skipScalar(bytes, index);
      if (index < 0 || depth === 0) return index;
      index = skipSpace(bytes, index);
    }
    // After a value: close what closes here, then go on behind a comma.
    while (index < bytes.length && bytes[index] === (openIsObject[depth - 1] === 1 ? BRACE_CLOSE : BRACKET_CLOSE)) {
      depth -= 1;
      if (depth === 0) return index + 1;
      index = skipSpace(bytes, index + 1);
    }
    if (index >= bytes.length) return INCOMPLETE;
    if (bytes[index] !== COMMA) return INVALID;
    index = skipSpace(bytes, index + 1);
    if (openIsObject[depth - 1] === 1) {
      if (index >= bytes.length) return INCOMPLETE;
      index = skipKey(bytes, index);
      if (index < 0) return index;
    }
  }
}
