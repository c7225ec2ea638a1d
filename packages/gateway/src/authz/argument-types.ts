/**
 * Which number an argument is, by the tool's schema: policy must not see `5` as a Long and `5.5` as a decimal when the schema
 * calls both a `number`, because the two never compare. Only numbers need this; all else has one form in Cedar.
 *
 * The rule, for each place in the arguments: if any part of the schema that speaks of it says `number`, every number there
 * is a decimal; else if one says `integer`, a Long; else its value decides. Parts are found through `properties`,
 * `patternProperties`, `additionalProperties`, `items`, `prefixItems`, `allOf`, `anyOf`, `oneOf` and local `$ref`. What is
 * beyond the bounds speaks of nothing. The answer depends on schema and place alone, never on what was asked before.
 */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

export type NumberType = 'decimal' | 'long' | 'open';

/** Parts of one schema that speak of one place. */
const MAX_PARTS = 64;

/** Steps of one `$ref`. */
const MAX_POINTER_STEPS = 32;

const NOTHING: readonly JsonObject[] = Object.freeze([]);

/** Names from the arguments inwards; lists are passed through. */
export type Path = readonly string[];

/** One place in the arguments, as a schema describes it. */
export class Place {
  readonly #root: JsonObject;
  readonly #parts: readonly JsonObject[];
  readonly #replaced: readonly Path[];

  private constructor(root: JsonObject, parts: readonly JsonObject[], replaced: readonly Path[]) {
    this.#root = root;
    this.#parts = parts;
    this.#replaced = replaced;
  }

  /**
   * The arguments themselves.
   *
   * @param replaced Where the gateway put something else in place of what was sent: no upstream's schema speaks of that.
   */
  static root(schema: JsonObject, replaced: readonly Path[] = []): Place {
    return new Place(schema, spread([schema], schema), replaced);
  }

  /** A place of which the schema says nothing. */
  static open(): Place {
    return new Place({}, NOTHING, []);
  }

  get number(): NumberType {
    let number: NumberType = 'open';
    for (const { type } of this.#parts) {
      if (says(type, 'number')) return 'decimal';
      if (says(type, 'integer')) number = 'long';
    }
    return number;
  }

  property(key: string): Place {
    if (this.#parts.length === 0) return this;
    const below = this.#replaced.filter(([first]) => first === key).map((path) => path.slice(1));
    if (below.some((path) => path.length === 0)) return Place.open();
    const found = this.#parts.flatMap(({ properties, patternProperties, additionalProperties }): readonly unknown[] => {
      if (isJsonObject(properties) && Object.hasOwn(properties, key)) return [properties[key]];
      // Which pattern matches is not looked at: running an upstream's expressions here is not worth the difference.
      return [...(isJsonObject(patternProperties) ? Object.values(patternProperties) : []), additionalProperties];
    });
    return this.#at(found, below);
  }

  /** Every element that has no `prefixItems` of its own. */
  get items(): Place {
    return this.#parts.length === 0
      ? this
      : this.#at(
          this.#parts.flatMap(({ items, additionalItems }) => (isList(items) ? [additionalItems] : [items])),
          this.#replaced,
        );
  }

  /** How many first elements have a schema of their own. */
  get prefixLength(): number {
    return Math.min(MAX_PARTS, Math.max(0, ...this.#parts.map((part) => prefixOf(part).length)));
  }

  item(index: number): Place {
    const own = this.#parts.map((part) => prefixOf(part)[index]).filter((schema) => schema !== undefined);
    return own.length === 0 ? this.items : this.#at(own, this.#replaced);
  }

  #at(schemas: readonly unknown[], replaced: readonly Path[]): Place {
    const parts = spread(schemas, this.#root);
    return parts.length === 0 ? Place.open() : new Place(this.#root, parts, replaced);
  }
}

const isList = (value: unknown): value is readonly Json[] => Array.isArray(value);

const says = (type: unknown, wanted: string): boolean => type === wanted || (isList(type) && type.includes(wanted));

/** `prefixItems`, and `items` as older drafts have it. */
function prefixOf({ prefixItems, items }: JsonObject): readonly Json[] {
  if (isList(prefixItems)) return prefixItems;
  return isList(items) ? items : [];
}

/** The schemas, and all that they refer to or are put together from, each once, in their order. */
function spread(schemas: readonly unknown[], root: JsonObject): readonly JsonObject[] {
  const found = new Set<JsonObject>();
  const waiting: unknown[] = schemas.slice(0, MAX_PARTS);
  for (let at = 0; at < waiting.length && found.size < MAX_PARTS; at++) {
    const schema = waiting[at];
    if (!isJsonObject(schema) || found.has(schema)) continue;
    found.add(schema);
    const { $ref: reference, allOf, anyOf, oneOf } = schema;
    if (typeof reference === 'string') waiting.push(pointedTo(reference, root));
    for (const list of [allOf, anyOf, oneOf]) if (isList(list)) waiting.push(...list.slice(0, MAX_PARTS));
  }
  return [...found];
}

/** A JSON pointer into the same schema (RFC 6901 as a URI fragment). */
function pointedTo(reference: string, root: JsonObject): unknown {
  if (reference === '#') return root;
  if (!reference.startsWith('#/')) return undefined;
  const steps = reference.slice(2).split('/');
  if (steps.length > MAX_POINTER_STEPS) return undefined;
  let at: unknown = root;
  for (const step of steps) {
    const key = decoded(step).replaceAll('~1', '/').replaceAll('~0', '~');
    if (isList(at)) at = at[Number(key)];
    else at = isJsonObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return at;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
