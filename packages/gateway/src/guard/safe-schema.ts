/**
 * Writes a stranger's schema anew: only keywords that we know, each well-formed; every target of a reference once, as a
 * definition of ours; and what it costs to look at.
 */

import { isJsonObject, type JsonObject } from '../model/json.ts';
import { IN_PLACE, mapSchemas, type KeywordKind } from './keywords.ts';
import { compilePattern, type Pattern } from './linear-pattern.ts';
import { findReferences, type Referenced, type References } from './references.ts';
import { countValues, TooLarge, Unsafe, type SchemaLimits } from './schema-size.ts';
import { wellFormedKeywords } from './well-formed.ts';

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

/** @throws Unsafe with what is wrong and where, TooLarge when a limit was reached. */
export function rewriteSchema(schema: JsonObject, limits: SchemaLimits): SafeSchema {
  return new Rewriting(findReferences(schema), limits).whole(schema);
}

/** What one schema costs to look at: itself and everything below, references written out. */
type Cost = { readonly expansion: number; readonly patternSize: number };

/** A schema being written. `owner` is the definition that looks at the same value, if one does. */
type Draft = {
  readonly safe: Record<string, unknown>;
  readonly owner: string | undefined;
  expansion: number;
  patternSize: number;
};

/** References that lead from one to the next: everything that walks schemas goes one deeper with each. */
const MAX_REFERENCE_DEPTH = 128;

/** The state of one rewriting. */
class Rewriting {
  readonly #references: References;
  readonly #limits: SchemaLimits;
  readonly #names = new Map<Referenced, string>();
  readonly #definitions: Record<string, SafeNode> = {};
  readonly #costs = new Map<string, Cost>();
  /** Which definitions look at the same value as which. */
  readonly #inPlace = new Map<string, Set<string>>();
  readonly #patterns = new Map<string, Pattern>();
  #depth = 0;
  #totalPatternSize = 0;
  #recursive = false;
  #unevaluated = false;
  #namePatterns = false;

  constructor(references: References, limits: SchemaLimits) {
    this.#references = references;
    this.#limits = limits;
  }

  whole(schema: JsonObject): SafeSchema {
    const name = this.#define(schema, '#');
    if (hasCircle(this.#inPlace)) throw new Unsafe('its references lead back to themselves without end');
    const { expansion, patternSize } = this.#costs.get(name) ?? ONE;
    const linear = [...this.#patterns.values()].every((pattern) => pattern.linear);
    return {
      root: { $ref: `#/$defs/${name}` },
      definitions: this.#definitions,
      patterns: this.#patterns,
      expansion,
      patternSize,
      recursive: this.#recursive,
      unevaluated: this.#unevaluated,
      // Which properties were evaluated the validator only knows if it matches their names itself, in its own way.
      linear: linear && !(this.#unevaluated && this.#namePatterns),
    };
  }

  /** Each target once, however often it is referred to. */
  #define(target: Referenced, where: string): string {
    const known = this.#names.get(target);
    if (known !== undefined) {
      if (!this.#costs.has(known)) this.#recursive = true;
      return known;
    }
    if (++this.#depth > MAX_REFERENCE_DEPTH) {
      throw new Unsafe(`more than ${MAX_REFERENCE_DEPTH} references lead from one to the next`);
    }
    const name = `t${this.#names.size}`;
    this.#names.set(target, name);
    this.#inPlace.set(name, new Set());
    const { node, cost } = this.#visit(target, where, name);
    this.#definitions[name] = node;
    this.#costs.set(name, cost);
    this.#depth--;
    return name;
  }

  #visit(node: Referenced, where: string, owner: string | undefined): { readonly node: SafeNode; readonly cost: Cost } {
    if (typeof node === 'boolean') return { node, cost: ONE };
    const draft: Draft = { safe: {}, owner, expansion: 1, patternSize: 0 };
    for (const { keyword, value, kind } of wellFormedKeywords(node, where)) {
      const at = `${where}/${keyword}`;
      if (kind === 'reference') {
        if (typeof value === 'string') this.#refer(draft, node, { keyword, reference: value, at });
      } else if (kind === 'pattern') {
        draft.safe[keyword] = value;
        if (typeof value === 'string') this.#add(draft, this.#patternCost(value, at));
      } else this.#keep(draft, { keyword, value, kind, at });
    }
    return { node: draft.safe, cost: draft };
  }

  #keep(
    draft: Draft,
    { keyword, value, kind, at }: { keyword: string; value: unknown; kind: KeywordKind; at: string },
  ): void {
    if (keyword.startsWith('unevaluated')) this.#unevaluated = true;
    if (keyword === 'patternProperties' && isJsonObject(value)) {
      this.#namePatterns = true;
      for (const source of Object.keys(value)) this.#add(draft, this.#patternCost(source, at));
    }
    if (kind === 'values' || kind === 'value') {
      this.#add(draft, { expansion: countValues(value), patternSize: 0 });
    }
    draft.safe[keyword] = mapSchemas(value, kind, (member, step) => {
      if (typeof member !== 'boolean' && !isJsonObject(member)) throw new Unsafe(`${at}${step} is not a schema`);
      const inner = this.#visit(member, `${at}${step}`, IN_PLACE.has(keyword) ? draft.owner : undefined);
      this.#add(draft, inner.cost);
      return inner.node;
    });
  }

  #refer(
    draft: Draft,
    holder: JsonObject,
    { keyword, reference, at }: { keyword: string; reference: string; at: string },
  ): void {
    if (keyword === '$dynamicRef' && this.#references.embedded) {
      throw new Unsafe(`${at} cannot be followed in a schema with parts that have an $id`);
    }
    const found = this.#references.resolve(holder, reference);
    if (!found.ok) throw new Unsafe(`${at} cannot be followed: ${found.error}`);
    const name = this.#define(found.value, reference);
    if (draft.owner !== undefined) this.#inPlace.get(draft.owner)?.add(name);
    // A definition that is still being written refers to itself: once around is counted.
    this.#add(draft, this.#costs.get(name) ?? ONE);
    const $ref = `#/$defs/${name}`;
    const { safe } = draft;
    if (safe['$ref'] === undefined) safe['$ref'] = $ref;
    else safe['allOf'] = [...(Array.isArray(safe['allOf']) ? safe['allOf'] : []), { $ref }];
  }

  #patternCost(source: string, where: string): Cost {
    let pattern = this.#patterns.get(source);
    if (pattern === undefined) {
      const { maxRepetition, maxPatternSize } = this.#limits;
      if (mostRepeated(source) > maxRepetition) {
        throw new TooLarge(`the pattern at ${where} repeats something more than ${maxRepetition} times`);
      }
      const compiled = compilePattern(source);
      if (!compiled.ok) throw new Unsafe(`the pattern at ${where} cannot be used: ${compiled.error}`);
      pattern = compiled.value;
      this.#patterns.set(source, pattern);
      this.#totalPatternSize += pattern.size;
      if (this.#totalPatternSize > maxPatternSize) throw new TooLarge('its patterns are too large together');
    }
    return { expansion: 1, patternSize: pattern.size };
  }

  #add(draft: Draft, cost: Cost): void {
    const { maxExpansion } = this.#limits;
    draft.expansion += cost.expansion;
    draft.patternSize += cost.patternSize;
    if (draft.expansion > maxExpansion)
      throw new TooLarge(`its references expand to more than ${maxExpansion} schemas`);
  }
}

const ONE: Cost = { expansion: 1, patternSize: 0 };

/** The largest count in braces: `{3}`, `{3,}`, `{1,3}`. */
function mostRepeated(source: string): number {
  let most = 0;
  for (const [, times] of source.matchAll(/\{(?:\d+,)?(\d+)/gu)) most = Math.max(most, Number(times));
  return most;
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
