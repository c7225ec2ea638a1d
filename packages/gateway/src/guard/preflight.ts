/**
 * Makes a stranger's schema safe to compile, or says why it is not: bounded in size, depth and expansion, without remote
 * references, with only the keywords that we know, each well-formed, and with regular expressions in linear time.
 */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { IN_PLACE, KEYWORDS, malformed, mapSchemas, type KeywordKind } from './keywords.ts';
import { compilePattern, type Pattern } from './linear-pattern.ts';
import { findReferences, type Referenced } from './references.ts';
import { countValues, measure, TooLarge, Unsafe, type SchemaLimits } from './schema-size.ts';

/** A schema of ours: the same meaning, only known keywords, references to `#/$defs/t<n>` only. */
export type SafeNode = boolean | { readonly [keyword: string]: unknown };

export type SafeSchema = {
  readonly root: SafeNode;
  /** By the name in `#/$defs/`. */
  readonly definitions: Readonly<Record<string, SafeNode>>;
  readonly patterns: ReadonlyMap<string, Pattern>;
  /** Schemas when every reference is written out, once around a circle. */
  readonly expansion: number;
  /** Instructions of all patterns, counted in the same way. */
  readonly patternSize: number;
  /** It refers to itself: what it costs depends on how deep a value is. */
  readonly recursive: boolean;
  /** `unevaluatedProperties` or `unevaluatedItems` stands somewhere. */
  readonly unevaluated: boolean;
  /** Every pattern runs in linear time. */
  readonly linear: boolean;
};

/** The error says what is wrong with the schema and where; `size` when larger limits might allow it. */
export function preflight(
  schema: JsonObject,
  limits: SchemaLimits,
): Result<SafeSchema, { readonly reason: string; readonly size: boolean }> {
  try {
    measure(schema, limits);
    return ok(rewrite(schema, limits));
  } catch (error) {
    if (error instanceof Unsafe) return err({ reason: error.message, size: error instanceof TooLarge });
    throw error;
  }
}

/** What one schema costs to look at. Infinite sums are cut at the limit, so that nothing overflows. */
type Cost = { readonly expansion: number; readonly patternSize: number };

function rewrite(schema: JsonObject, limits: SchemaLimits): SafeSchema {
  const references = findReferences(schema);
  const names = new Map<Referenced, string>();
  const definitions: Record<string, SafeNode> = {};
  const costs = new Map<string, Cost | 'under way'>();
  /** Which definitions look at the same value as which. */
  const inPlace = new Map<string, Set<string>>();
  const patterns = new Map<string, Pattern>();
  let totalPatternSize = 0;
  let recursive = false;
  let unevaluated = false;
  let namePatterns = false;

  const patternOf = (source: string, where: string): Pattern => {
    const known = patterns.get(source);
    if (known !== undefined) return known;
    const repeated = Math.max(0, ...[...source.matchAll(/\{(?:\d+,)?(\d+)/gu)].map(([, times]) => Number(times)));
    if (repeated > limits.maxRepetition) {
      throw new TooLarge(`the pattern at ${where} repeats something more than ${limits.maxRepetition} times`);
    }
    const compiled = compilePattern(source);
    if (!compiled.ok) throw new Unsafe(`the pattern at ${where} cannot be used: ${compiled.error}`);
    patterns.set(source, compiled.value);
    totalPatternSize += compiled.value.size;
    if (totalPatternSize > limits.maxPatternSize) throw new TooLarge('its patterns are too large together');
    return compiled.value;
  };

  /** `from` is the definition that looks at the same value; absent below it, where a part of the value is looked at. */
  const visit = (node: Referenced, where: string, from: string | undefined): { node: SafeNode; cost: Cost } => {
    if (typeof node === 'boolean') return { node, cost: { expansion: 1, patternSize: 0 } };
    const safe: Record<string, unknown> = {};
    let expansion = 1;
    let patternSize = 0;
    const add = (cost: Cost): void => {
      expansion = Math.min(expansion + cost.expansion, limits.maxExpansion + 1);
      patternSize += cost.patternSize;
      if (expansion > limits.maxExpansion) {
        throw new TooLarge(`its references expand to more than ${limits.maxExpansion} schemas`);
      }
    };
    const within = (member: unknown, at: string, keyword: string): SafeNode => {
      if (typeof member !== 'boolean' && !isJsonObject(member)) throw new Unsafe(`${at} is not a schema`);
      const inner = visit(member, at, IN_PLACE.has(keyword) ? from : undefined);
      add(inner.cost);
      return inner.node;
    };
    for (const [keyword, value, kind] of keywordsOf(node, where)) {
      const at = `${where}/${keyword}`;
      if (kind === 'reference') {
        if (typeof value === 'string') refer(node, value, at);
      } else if (kind === 'pattern') {
        if (typeof value !== 'string') continue;
        safe[keyword] = value;
        add({ expansion: 1, patternSize: patternOf(value, at).size });
      } else {
        if (keyword.startsWith('unevaluated')) unevaluated = true;
        if (keyword === 'patternProperties' && isJsonObject(value)) {
          namePatterns = true;
          for (const source of Object.keys(value)) add({ expansion: 1, patternSize: patternOf(source, at).size });
        }
        safe[keyword] = mapSchemas(value, kind, (member, step) => within(member, `${at}${step}`, keyword));
        if (kind === 'values' || kind === 'value') add({ expansion: countValues(value), patternSize: 0 });
      }
    }
    return { node: safe, cost: { expansion, patternSize } };

    function refer(holder: JsonObject, reference: string, at: string): void {
      if (at.endsWith('/$dynamicRef') && references.embedded) {
        throw new Unsafe(`${at} cannot be followed in a schema with parts that have an $id`);
      }
      const found = references.resolve(holder, reference);
      if (!found.ok) throw new Unsafe(`${at} cannot be followed: ${found.error}`);
      const name = define(found.value);
      if (from !== undefined) inPlace.get(from)?.add(name);
      if (costs.get(name) === 'under way') recursive = true;
      const cost = costs.get(name);
      add(cost === undefined || cost === 'under way' ? { expansion: 1, patternSize: 0 } : cost);
      const target = { $ref: `#/$defs/${name}` };
      if (safe['$ref'] === undefined) safe['$ref'] = target.$ref;
      else safe['allOf'] = [...(Array.isArray(safe['allOf']) ? safe['allOf'] : []), target];
    }
  };

  /** Each target once, however often it is referred to. */
  const define = (target: Referenced): string => {
    const known = names.get(target);
    if (known !== undefined) return known;
    const name = `t${names.size}`;
    names.set(target, name);
    inPlace.set(name, new Set());
    costs.set(name, 'under way');
    const { node, cost } = visit(target, name === 't0' ? '#' : `#/$defs/${name}`, name);
    definitions[name] = node;
    costs.set(name, cost);
    return name;
  };

  const name = define(schema);
  if (hasCircle(inPlace)) throw new Unsafe('its references lead back to themselves without end');
  const cost = costs.get(name);
  if (cost === undefined || cost === 'under way') throw new Error('the schema was not visited');
  return {
    root: { $ref: `#/$defs/${name}` },
    definitions,
    patterns,
    expansion: cost.expansion,
    patternSize: cost.patternSize,
    recursive,
    unevaluated,
    // Which properties were evaluated is known to the validator only if it matches their names itself, in its own way.
    linear: !(unevaluated && namePatterns) && [...patterns.values()].every((pattern) => pattern.linear),
  };
}

/** Coming back to a definition while it still looks at the same value would never end. */
function hasCircle(edges: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const done = new Map<string, boolean>();
  const leadsBack = (name: string): boolean => {
    const state = done.get(name);
    if (state !== undefined) return !state;
    done.set(name, false);
    for (const next of edges.get(name) ?? []) if (leadsBack(next)) return true;
    done.set(name, true);
    return false;
  };
  return [...edges.keys()].some(leadsBack);
}

/** The keywords that we know, well-formed, in an order that puts `allOf` before the references that may add to it. */
function keywordsOf(node: JsonObject, where: string): readonly (readonly [string, Json | undefined, KeywordKind])[] {
  const found: (readonly [string, Json | undefined, KeywordKind])[] = [];
  for (const [keyword, value] of Object.entries(fromDraft4(node))) {
    const kind = KEYWORDS.get(keyword);
    if (kind === undefined || value === undefined) continue;
    const expected = malformed(kind, value);
    if (expected !== undefined) throw new Unsafe(`${where}/${keyword} must be ${expected}`);
    if (kind === 'reference') found.push([keyword, value, kind]);
    else found.unshift([keyword, value, kind]);
  }
  return found;
}

/** Draft 4, and OpenAPI 3.0 after it, say whether a bound is exclusive with true or false beside it. */
function fromDraft4(node: JsonObject): JsonObject {
  if (typeof node['exclusiveMinimum'] !== 'boolean' && typeof node['exclusiveMaximum'] !== 'boolean') return node;
  const { exclusiveMinimum, exclusiveMaximum, minimum, maximum, ...rest } = node;
  return {
    ...rest,
    ...bound('minimum', 'exclusiveMinimum', minimum, exclusiveMinimum),
    ...bound('maximum', 'exclusiveMaximum', maximum, exclusiveMaximum),
  };
}

const bound = (inclusive: string, exclusive: string, limit: Json | undefined, flag: Json | undefined): JsonObject => {
  if (typeof flag !== 'boolean') return { [inclusive]: limit, [exclusive]: flag };
  return { [flag ? exclusive : inclusive]: limit };
};
