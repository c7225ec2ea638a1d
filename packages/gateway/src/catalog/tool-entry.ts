/**
 * A tool as the operator lets it be: withheld, or with arguments pinned and declared. Whatever the operator asked for and
 * cannot be had of this tool takes the tool away, and says so: a pin that is dropped silently is no pin.
 */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Pins, ToolEntry } from '../model/target.ts';
import type { DeclaredArgument } from '../model/argument-kind.ts';
import { freezeDeep } from './definition.ts';
import type { ToolWords } from './traits.ts';

/** Keywords of a schema that only tell, and may name whatever they like. */
const TELLING: ReadonlySet<string> = new Set([
  'title',
  'description',
  '$id',
  '$schema',
  '$comment',
  'type',
  'examples',
]);

/** Keywords behind which properties may stand that a look at `properties` does not see. */
const BRANCHING = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'if', 'patternProperties', 'dependentSchemas'];

/** The entry with the operator's words applied, or why there is none. */
export function toolEntryOf(tool: ToolEntry, words: ToolWords): Result<ToolEntry, string> {
  for (const argument of words.exact) {
    if (!words.declared.includes(argument) || mayHave(tool.inputSchema, argument.steps)) continue;
    return err(`it is said to have an argument "${argument.place}", and its schema has none`);
  }
  const pins = pinsOf(tool.inputSchema, words.pins);
  if (!pins.ok) return pins;
  const declared = words.declared.length === 0 ? {} : { declared: words.declared };
  if (pins.value === undefined) return ok(words.declared.length === 0 ? tool : { ...tool, ...declared });
  const definition = { ...tool.definition, inputSchema: pins.value.shownSchema };
  freezeDeep(definition);
  return ok({ ...tool, ...declared, definition, text: JSON.stringify(definition), pins: pins.value });
}

function pinsOf(schema: JsonObject, pinned: JsonObject): Result<Pins | undefined, string> {
  const names = Object.keys(pinned);
  if (names.length === 0) return ok(undefined);
  const properties = isJsonObject(schema.properties) ? schema.properties : {};
  for (const name of names) {
    if (!Object.hasOwn(properties, name))
      return err(`the argument "${name}" is pinned, and its schema has none of that name`);
    const elsewhere = Object.entries(schema).some(
      ([keyword, value]) =>
        keyword !== 'properties' && keyword !== 'required' && !TELLING.has(keyword) && mentions(value, name),
    );
    if (elsewhere) return err(`the argument "${name}" is pinned, and its schema makes other things depend on it`);
  }
  const isFree = (name: unknown): boolean => typeof name !== 'string' || !names.includes(name);
  const required: unknown = schema.required;
  const shownSchema: JsonObject = {
    ...schema,
    properties: Object.fromEntries(Object.entries(properties).filter(([name]) => isFree(name))),
    ...(isNames(required) ? { required: required.filter(isFree) } : {}),
  };
  const pins: Pins = { arguments: pinned, shownSchema };
  freezeDeep(pinned);
  freezeDeep(shownSchema);
  return ok(pins);
}

const isNames = (value: unknown): value is readonly Json[] => Array.isArray(value);

/** Does a text or a key in it equal the name? */
function mentions(value: Json | undefined, name: string): boolean {
  if (value === name) return true;
  if (typeof value !== 'object' || value === null) return false;
  if (!isJsonObject(value)) return value.some((item) => mentions(item, name));
  return Object.entries(value).some(([key, member]) => key === name || mentions(member, name));
}

/** False only when the schema shows plainly that there is no such place. */
function mayHave(schema: JsonObject, steps: readonly DeclaredArgument['steps'][number][]): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  const { properties } = schema;
  if (BRANCHING.some((keyword) => schema[keyword] !== undefined)) return true;
  if (!isJsonObject(properties)) return schema.type === undefined;
  const property = Object.hasOwn(properties, step.name) ? properties[step.name] : undefined;
  if (!isJsonObject(property)) return property === true;
  const inner = step.each && property.items !== undefined ? property.items : property;
  return isJsonObject(inner) ? mayHave(inner, rest) : true;
}
