/** How large a schema may be, checked before anything else looks at it. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

export type SchemaLimits = {
  /** Characters of all texts and names together. */
  readonly maxCharacters: number;
  readonly maxDepth: number;
  /** JSON values. */
  readonly maxNodes: number;
  /** Members of one object, properties of one schema among them. */
  readonly maxProperties: number;
  /** Schemas that are looked at for one value when every reference is written out. */
  readonly maxExpansion: number;
  /** Instructions of all patterns together. */
  readonly maxPatternSize: number;
  /** The most that a pattern may ask for one thing to be repeated: each time is compiled. */
  readonly maxRepetition: number;
};

export const DEFAULT_SCHEMA_LIMITS: SchemaLimits = {
  maxCharacters: 256 * 1024,
  maxDepth: 64,
  maxNodes: 20_000,
  maxProperties: 1_000,
  maxExpansion: 100_000,
  maxPatternSize: 20_000,
  maxRepetition: 1_000,
};

/** What may be prepared and checked on the event loop: a few milliseconds. The rest goes to a thread. */
export const INLINE_SCHEMA_LIMITS: SchemaLimits = {
  maxCharacters: 32 * 1024,
  maxDepth: 64,
  maxNodes: 2_000,
  maxProperties: 400,
  maxExpansion: 5_000,
  maxPatternSize: 1_000,
  maxRepetition: 256,
};

/** Why a schema cannot be checked safely; caught by `preflight`. */
export class Unsafe extends Error {}

/** One of the limits was reached. */
export class TooLarge extends Unsafe {}

/** @throws TooLarge when the schema is too large in any way. */
export function measure(schema: JsonObject, limits: SchemaLimits): void {
  let nodes = 0;
  let characters = 0;
  const visit = (value: Json | undefined, depth: number): void => {
    if (depth > limits.maxDepth) throw new TooLarge(`it is nested more than ${limits.maxDepth} deep`);
    if (++nodes > limits.maxNodes) throw new TooLarge(`it has more than ${limits.maxNodes} values`);
    if (typeof value === 'string') characters += value.length;
    else if (Array.isArray(value)) for (const member of value) visit(member, depth + 1);
    else if (isJsonObject(value)) {
      const names = Object.keys(value);
      if (names.length > limits.maxProperties) {
        throw new TooLarge(`an object in it has ${names.length} members, more than ${limits.maxProperties}`);
      }
      for (const name of names) {
        characters += name.length;
        visit(value[name], depth + 1);
      }
    }
    if (characters > limits.maxCharacters) throw new TooLarge(`it is longer than ${limits.maxCharacters} characters`);
  };
  visit(schema, 0);
}

/** The JSON values in a value, itself included. */
export function countValues(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, member) => sum + countValues(member), 1);
  if (isJsonObject(value)) return Object.values(value).reduce<number>((sum, member) => sum + countValues(member), 1);
  return 1;
}
