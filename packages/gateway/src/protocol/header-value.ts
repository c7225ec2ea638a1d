/**
 * The encoding of `Mcp-Name` and `Mcp-Param-*` values: plain where HTTP can carry them, else base64 of the UTF-8 text
 * between `=?base64?` and `?=` (MCP 2026-07-28, basic/transports/streamable-http, Value Encoding).
 */

const PREFIX = '=?base64?';
const SUFFIX = '?=';

/** Visible ASCII, and spaces or tabs inside; not the empty string, which HTTP libraries tend to drop. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const UTF8 = new TextEncoder();
const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const isEncoded = (value: string): boolean =>
  value.length >= PREFIX.length + SUFFIX.length && value.startsWith(PREFIX) && value.endsWith(SUFFIX);

/** As a client writes it. */
export function encodeHeaderValue(value: string): string {
  if (PLAIN.test(value) && !isEncoded(value)) return value;
  let binary = '';
  for (const byte of UTF8.encode(value)) binary += String.fromCharCode(byte);
  return PREFIX + btoa(binary) + SUFFIX;
}

/** As a server reads it; undefined when it holds what a header may not, or base64 that is none. */
export function decodeHeaderValue(value: string): string | undefined {
  if (!isEncoded(value)) return value === '' || PLAIN.test(value) ? value : undefined;
  const text = value.slice(PREFIX.length, -SUFFIX.length);
  if (!BASE64.test(text)) return undefined;
  try {
    return STRICT_UTF8.decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
