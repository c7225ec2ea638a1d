/**
 * JSON values as Cedar values, total and faithful. The rule: presence is always told truthfully. What Cedar cannot hold
 * (null, a float it has no exact decimal for, text that is not Unicode) becomes an entity of type `Unreadable`: `has` sees
 * it, it equals nothing a policy can write, and every other operation on it errors, which denies. Leaving such values out
 * instead would let `{"limit": null}` slip past a rule that begins with `context.arguments has limit`.
 */

import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Json, JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { Place, type NumberType } from './argument-types.ts';

/** Cedar's own reader gives up at 128 levels; by throwing out of WebAssembly, which leaks. */
const MAX_DEPTH = 100;

/** Keys with which Cedar's JSON marks entities and extension values: from a caller they would forge either. */
const RESERVED_KEYS: ReadonlySet<string> = new Set(['__entity', '__extn', '__expr']);

/** `decimal` holds a signed 64-bit number of ten-thousandths; 14 digits before the point stay below it. */
const EXACT_DECIMAL = /^-?\d{1,14}\.\d{1,4}$/;

export type CedarRecord = { [key: string]: CedarValueJson };

export type RecordOptions = {
  /** The top-level keys to take; default: all. What no policy looks at would only cost the engine time. */
  readonly only?: ReadonlySet<string>;
  /** What a schema says of it. */
  readonly place?: Place;
};

/** The record, or the reason why policy must not judge it. The reason holds no value of the caller's. */
export function toCedarRecord(
  object: JsonObject,
  { only, place = Place.open() }: RecordOptions = {},
): Result<CedarRecord, string> {
  try {
    return ok(record(only === undefined ? object : picked(object, only), place, 0));
  } catch (error) {
    if (error instanceof Unmappable) return err(error.message);
    throw error;
  }
}

class Unmappable extends Error {}

function picked(object: JsonObject, only: ReadonlySet<string>): JsonObject {
  const taken: Record<string, Json> = Object.create(null);
  for (const key of only) {
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    if (value !== undefined) taken[key] = value;
  }
  return taken;
}

function record(object: JsonObject, place: Place, depth: number): CedarRecord {
  if (depth > MAX_DEPTH) throw new Unmappable(`The arguments are nested more than ${MAX_DEPTH} levels deep.`);
  // Without a prototype, so that a key named `__proto__` is a key like any other.
  const mapped: CedarRecord = Object.create(null);
  for (const key in object) {
    const value = object[key];
    if (value === undefined) continue;
    if (RESERVED_KEYS.has(key)) throw new Unmappable(`An object in the arguments has the reserved key "${key}".`);
    if (!key.isWellFormed()) throw new Unmappable('A key in the arguments is not valid Unicode.');
    mapped[key] = cedarValue(value, place.property(key), depth + 1);
  }
  return mapped;
}

function cedarValue(value: Json, place: Place, depth: number): CedarValueJson {
  if (typeof value === 'string') return value.isWellFormed() ? value : unreadable(value);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return cedarNumber(value, place.number);
  if (value === null) return unreadable(value);
  if (!isList(value)) return record(value, place, depth);
  if (depth > MAX_DEPTH) throw new Unmappable(`The arguments are nested more than ${MAX_DEPTH} levels deep.`);
  const { items, prefixLength } = place;
  return value.map((item, index) => cedarValue(item, index < prefixLength ? place.item(index) : items, depth + 1));
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

function cedarNumber(value: number, declared: NumberType): CedarValueJson {
  // `+ 0` turns -0 into 0: Cedar has one zero.
  if (declared !== 'decimal' && Number.isSafeInteger(value)) return value + 0;
  const text = Number.isInteger(value) ? `${value}.0` : String(value);
  return declared !== 'long' && EXACT_DECIMAL.test(text) ? { __extn: { fn: 'decimal', arg: text } } : unreadable(value);
}

/** Two unreadable values are equal in policy when they are equal as JSON. */
const unreadable = (value: Json): CedarValueJson => ({ __entity: { type: 'Unreadable', id: JSON.stringify(value) } });
