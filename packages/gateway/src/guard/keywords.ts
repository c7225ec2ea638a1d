/**
 * The keywords of JSON Schema that we check (2020-12, and draft-07 and older where they say the same thing in other
 * words), and what each of them must look like. Everything else is an annotation and is dropped, `format` included.
 */

import { isJsonObject, type Json } from '../model/json.ts';

/** Where in a keyword's value schemas stand, or what the value must be. */
export type KeywordKind =
  | 'schema'
  | 'schemas'
  | 'schema-or-schemas'
  | 'schema-map'
  | 'schema-or-names-map'
  | 'names'
  | 'names-map'
  | 'types'
  | 'values'
  | 'value'
  | 'number'
  | 'positive'
  | 'count'
  | 'flag'
  | 'pattern'
  | 'reference';

export const KEYWORDS: ReadonlyMap<string, KeywordKind> = new Map<string, KeywordKind>([
  ['type', 'types'],
  ['enum', 'values'],
  ['const', 'value'],
  ['properties', 'schema-map'],
  ['patternProperties', 'schema-map'],
  ['additionalProperties', 'schema'],
  ['propertyNames', 'schema'],
  ['required', 'names'],
  ['minProperties', 'count'],
  ['maxProperties', 'count'],
  ['dependentRequired', 'names-map'],
  ['dependentSchemas', 'schema-map'],
  ['dependencies', 'schema-or-names-map'],
  ['unevaluatedProperties', 'schema'],
  ['items', 'schema-or-schemas'],
  ['prefixItems', 'schemas'],
  ['additionalItems', 'schema'],
  ['contains', 'schema'],
  ['minContains', 'count'],
  ['maxContains', 'count'],
  ['minItems', 'count'],
  ['maxItems', 'count'],
  ['uniqueItems', 'flag'],
  ['unevaluatedItems', 'schema'],
  ['minLength', 'count'],
  ['maxLength', 'count'],
  ['pattern', 'pattern'],
  ['minimum', 'number'],
  ['maximum', 'number'],
  ['exclusiveMinimum', 'number'],
  ['exclusiveMaximum', 'number'],
  ['multipleOf', 'positive'],
  ['allOf', 'schemas'],
  ['anyOf', 'schemas'],
  ['oneOf', 'schemas'],
  ['not', 'schema'],
  ['if', 'schema'],
  ['then', 'schema'],
  ['else', 'schema'],
  ['$ref', 'reference'],
  ['$dynamicRef', 'reference'],
  ['$recursiveRef', 'reference'],
]);

/** Keywords whose schemas look at the same value again, instead of at a part of it. */
export const IN_PLACE: ReadonlySet<string> = new Set([
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'dependentSchemas',
  'dependencies',
]);

/** Definitions hold schemas too, but only `$ref` reaches them. */
export const DEFINITIONS: readonly string[] = ['$defs', 'definitions'];

const TYPES = new Set(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']);

/**
 * Every object has these without being given them, and the validator asks `name in value`: `{}` would have a required
 * `toString`. (`constructor` it asks for properly.)
 */
const UNSAFE_NAMES = new Set(Object.getOwnPropertyNames(Object.prototype).filter((name) => name !== 'constructor'));

/** What the value of a keyword should have been, when it is not that; `undefined` when it is fine. */
export function malformed(kind: KeywordKind, value: Json | undefined): string | undefined {
  switch (kind) {
    case 'schema':
      return isSchema(value) ? undefined : 'a schema';
    case 'schemas':
      return isSchemas(value) ? undefined : 'a list of schemas';
    case 'schema-or-schemas':
      return isSchema(value) || isSchemas(value) ? undefined : 'a schema or a list of schemas';
    case 'schema-map':
      return mapOf(value, isSchema, 'schemas');
    case 'schema-or-names-map':
      return mapOf(value, (member) => isSchema(member) || isNames(member), 'schemas or lists of names');
    case 'names-map':
      return mapOf(value, isNames, 'lists of names');
    case 'names':
      return isNames(value) ? undefined : 'a list of property names';
    case 'types':
      return isTypes(value) ? undefined : `one of ${[...TYPES].join(', ')}, or a list of them`;
    case 'values':
      return Array.isArray(value) && value.length > 0 ? undefined : 'a list of values';
    case 'value':
      return undefined;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : 'a number';
    case 'positive':
      return typeof value === 'number' && value > 0 && Number.isFinite(value) ? undefined : 'a number above 0';
    case 'count':
      // Above 2^29 the validator's arithmetic on lengths overflows; no argument is that long.
      return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 29
        ? undefined
        : 'a whole number below 2^29';
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'true or false';
    case 'pattern':
    case 'reference':
      return typeof value === 'string' ? undefined : 'a text';
  }
}

/** The value of a keyword with every schema in it replaced; `step` leads from the keyword to the schema. */
export function mapSchemas(
  value: unknown,
  kind: KeywordKind,
  replace: (schema: unknown, step: string) => unknown,
): unknown {
  switch (kind) {
    case 'schema':
    case 'schemas':
    case 'schema-or-schemas':
      return Array.isArray(value) ? value.map((member, at) => replace(member, `/${at}`)) : replace(value, '');
    case 'schema-map':
    case 'schema-or-names-map':
      return Object.fromEntries(
        Object.entries({ ...(isObject(value) ? value : {}) }).map(([name, member]) => [
          name,
          Array.isArray(member) ? member : replace(member, `/${name}`),
        ]),
      );
    default:
      return value;
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const isSchema = (value: Json | undefined): boolean => typeof value === 'boolean' || isJsonObject(value);

const isSchemas = (value: Json | undefined): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(isSchema);

const isNames = (value: Json | undefined): boolean =>
  Array.isArray(value) && value.every((name) => typeof name === 'string' && !UNSAFE_NAMES.has(name));

const isTypes = (value: Json | undefined): boolean =>
  Array.isArray(value) ? value.length > 0 && value.every(isType) : isType(value);

const isType = (value: Json | undefined): boolean => typeof value === 'string' && TYPES.has(value);

function mapOf(
  value: Json | undefined,
  isMember: (member: Json | undefined) => boolean,
  of: string,
): string | undefined {
  if (!isJsonObject(value)) return `an object of ${of}`;
  const unsafe = Object.keys(value).find((name) => UNSAFE_NAMES.has(name));
  if (unsafe !== undefined) return `without a property called ${unsafe}, which cannot be checked safely`;
  return Object.values(value).every(isMember) ? undefined : `an object of ${of}`;
}
