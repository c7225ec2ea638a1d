/** From a safe schema to a check: compiled by TypeBox, with our patterns in the place of its own. */

import { Compile } from 'typebox/schema';

import { KEYWORDS, mapSchemas } from './keywords.ts';
import type { Pattern } from './linear-pattern.ts';
import type { SafeNode, SafeSchema } from './safe-schema.ts';

/** One thing that is wrong, as the validator reports it. */
export type Finding = {
  readonly keyword: string;
  /** JSON Pointers into the schema and into the value. */
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
};

export type CompiledSchema = {
  readonly check: (value: unknown) => boolean;
  /** At most 8, in the order of the schema. Slower: only for what did not pass. */
  readonly findings: (value: unknown) => readonly Finding[];
  /** What the paths of findings lead through. */
  readonly document: SafeNode;
};

type Refinement = { readonly check: (value: unknown) => boolean; readonly error: (value: unknown) => string };

/** Without this the validator walks the whole schema for each reference, to see whether it is an old one. */
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

export function compileSchema(schema: SafeSchema): CompiledSchema {
  const definitions: Record<string, SafeNode> = {};
  const late: (() => void)[] = [];
  const rules: Rules = {
    patterns: schema.patterns,
    // Evaluated properties are known to the validator only if it matches the names itself.
    ownPatternProperties: !schema.unevaluated,
    checkerOf(node) {
      let check: ((value: unknown) => boolean) | undefined;
      late.push(() => {
        const compiled = Compile({ $schema: DIALECT, $defs: definitions, allOf: [node] });
        check = (value) => compiled.Check(value);
      });
      return (value) => check?.(value) === true;
    },
  };
  for (const [name, node] of Object.entries(schema.definitions)) definitions[name] = refined(node, rules);
  const document = { $schema: DIALECT, $defs: definitions, allOf: [schema.root] };
  const compiled = Compile(document);
  for (const compile of late) compile();
  return {
    check: (value) => compiled.Check(value),
    findings: (value) => compiled.Errors(value)[1],
    document,
  };
}

type Rules = {
  readonly patterns: ReadonlyMap<string, Pattern>;
  readonly ownPatternProperties: boolean;
  /** Ready when the whole schema is compiled. */
  readonly checkerOf: (node: SafeNode) => (value: unknown) => boolean;
};

/** The same schema with `pattern` and `patternProperties` in the hands of our expressions. */
function refined(node: SafeNode, rules: Rules): SafeNode {
  if (typeof node === 'boolean') return node;
  const safe: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(node)) {
    const kind = KEYWORDS.get(keyword);
    safe[keyword] = kind === undefined ? value : mapSchemas(value, kind, (schema) => refined(nodeOf(schema), rules));
  }
  const refinements: Refinement[] = [];
  if (typeof safe['pattern'] === 'string') refinements.push(textMatches(patternOf(safe['pattern'], rules)));
  if (isNode(safe['patternProperties']) && rules.ownPatternProperties) refinements.push(propertiesMatch(safe, rules));
  if (refinements.length === 0) return safe;
  const replaced = new Set(['pattern']);
  if (rules.ownPatternProperties && 'patternProperties' in safe) {
    replaced.add('patternProperties').add('additionalProperties');
  }
  const kept = Object.entries(safe).filter(([keyword]) => !replaced.has(keyword));
  return { ...Object.fromEntries(kept), '~refine': refinements };
}

function textMatches(pattern: Pattern): Refinement {
  return {
    check: (value) => typeof value !== 'string' || pattern.test(value),
    error: () => `text that matches ${pattern.source}`,
  };
}

/** `patternProperties` and the `additionalProperties` that belongs to it (JSON Schema 2020-12, core 10.3.2). */
function propertiesMatch(node: Readonly<Record<string, unknown>>, rules: Rules): Refinement {
  const named = isNode(node['properties']) ? node['properties'] : {};
  const checker = (schema: unknown) => rules.checkerOf(nodeOf(schema));
  const matching = Object.entries(isNode(node['patternProperties']) ? node['patternProperties'] : {}).map(
    ([source, schema]) => ({ pattern: patternOf(source, rules), check: checker(schema) }),
  );
  const others = node['additionalProperties'] === undefined ? undefined : checker(node['additionalProperties']);
  const isFine = (name: string, value: unknown): boolean => {
    let known = Object.hasOwn(named, name);
    for (const { pattern, check } of matching) {
      if (!pattern.test(name)) continue;
      known = true;
      if (!check(value)) return false;
    }
    return known || others === undefined || others(value);
  };
  return {
    check: (value) => !isNode(value) || Object.keys(value).every((name) => isFine(name, value[name])),
    error: () => 'properties whose names and values the schema allows',
  };
}

function patternOf(source: string, rules: Rules): Pattern {
  const pattern = rules.patterns.get(source);
  if (pattern === undefined) throw new Error('a pattern was not seen by preflight');
  return pattern;
}

const nodeOf = (schema: unknown): SafeNode => (isNode(schema) ? schema : schema !== false);

const isNode = (value: unknown): value is { readonly [keyword: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
