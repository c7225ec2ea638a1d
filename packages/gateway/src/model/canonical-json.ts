/** JSON in one form only (RFC 8785), so that equal definitions have equal hashes however a server spelled them. */

import type { Json, JsonObject } from './json.ts';

/** Keys sorted by UTF-16 code units, no white space, numbers and strings as ECMAScript writes them. */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .flatMap((key) => member(value, key));
  return `{${members.join(',')}}`;
}

function member(object: JsonObject, key: string): string[] {
  const value = object[key];
  return value === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(value)}`];
}

const isList = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);
