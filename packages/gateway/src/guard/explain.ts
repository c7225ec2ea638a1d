/**
 * From what the validator found to what a person or a model can act on: where, what was expected, what kind of value was
 * there (never the value itself), and the name that was probably meant.
 */

import { nearestName } from '../model/nearest-name.ts';
import type { CompiledSchema, Finding } from './compile-schema.ts';
import { describe, isNode, kindOf, nodeAt, pathText, short, step, stepsOf, valueAt, type Node } from './wording.ts';

export type Problem = {
  /** Such as `arguments.edits[0].path`. */
  readonly path: string;
  readonly message: string;
  readonly expected: string;
  /** The kind of value that was there; `nothing` where something was missing. */
  readonly found: string;
  /** The known name that was probably meant. */
  readonly nearest?: string;
};

export const MAX_PROBLEMS = 5;

/** At most {@link MAX_PROBLEMS}; at least one, for arguments that did not pass. */
export function explain(schema: CompiledSchema, args: unknown): readonly Problem[] {
  const findings = withoutOtherBranches(schema.findings(args));
  const problems: Problem[] = [];
  const said = new Set<string>();
  for (const finding of findings) {
    for (const { problem, instead } of problemsOf(finding, args, schema.document)) {
      if (said.has(problem.path)) continue;
      said.add(problem.path);
      // A name that was meant for a missing one is spoken of once, where it is missing.
      if (instead !== undefined) said.add(instead);
      problems.push(problem);
      if (problems.length === MAX_PROBLEMS) return problems;
    }
  }
  if (problems.length > 0) return problems;
  return [
    { path: 'arguments', message: 'arguments: not of the declared shape', expected: 'another shape', found: 'object' },
  ];
}

/**
 * Of alternatives that all failed, only the one whose kind of value was given is worth explaining; when there is none, or
 * more than one, only that none fits.
 */
function withoutOtherBranches(findings: readonly Finding[]): readonly Finding[] {
  let kept = findings;
  for (const choice of findings) {
    if (choice.keyword !== 'anyOf' && choice.keyword !== 'oneOf') continue;
    const prefix = `${choice.schemaPath}/${choice.keyword}/`;
    const branches = new Map<string, Finding[]>();
    for (const finding of findings) {
      if (!finding.schemaPath.startsWith(prefix)) continue;
      const branch = finding.schemaPath.slice(prefix.length).split('/', 1)[0] ?? '';
      branches.set(branch, [...(branches.get(branch) ?? []), finding]);
    }
    const likely = [...branches.values()].filter(
      (branch) =>
        !branch.some(({ keyword, instancePath }) => keyword === 'type' && instancePath === choice.instancePath),
    );
    const chosen = likely.length === 1 ? likely[0] : undefined;
    kept = kept.filter((finding) =>
      finding === choice
        ? chosen === undefined
        : !finding.schemaPath.startsWith(prefix) || chosen?.includes(finding) === true,
    );
  }
  return kept;
}

type Context = { readonly node: Node; readonly value: unknown };

/** `instead` is the path of what was given in the place of what is missing. */
type Told = { readonly problem: Problem; readonly instead?: string };

/** What a value was is said where its kind is what is wrong. */
const KIND_MATTERS = new Set(['type', 'enum', 'const', 'anyOf', 'oneOf']);

function problemsOf(finding: Finding, args: unknown, document: unknown): readonly Told[] {
  const { keyword, params, schemaPath, instancePath } = finding;
  const path = pathText(instancePath);
  const context = { node: nodeAt(document, schemaPath), value: valueAt(args, instancePath) };
  switch (keyword) {
    case 'required':
      return names(params['requiredProperties']).map((name) => missing(path, name, context));
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return names(params[keyword]).map((name) => unknown(path, name, context));
    case 'boolean': {
      // A schema that is `false`. Where it stands for all other properties, the property is unknown.
      if (!/\/(?:additional|unevaluated)Properties$/u.test(schemaPath)) break;
      const parent = instancePath.slice(0, instancePath.lastIndexOf('/'));
      const holder = {
        node: nodeAt(document, schemaPath.slice(0, schemaPath.lastIndexOf('/'))),
        value: valueAt(args, parent),
      };
      return [unknown(pathText(parent), stepsOf(instancePath).at(-1) ?? '', holder)];
    }
    default:
  }
  const expected = expectation(finding, context.node);
  const found = kindOf(context.value);
  const message = `${path}: expected ${expected}${KIND_MATTERS.has(keyword) ? `, found ${found}` : ''}`;
  return [{ problem: { path, message, expected, found } }];
}

function missing(path: string, name: string, { node, value }: Context): Told {
  const known = propertiesOf(node);
  const given = isNode(value) ? Object.keys(value).filter((other) => !Object.hasOwn(known, other)) : [];
  const instead = nearestName(name, given);
  const expected = describe(known[name]);
  const where = `${path}${step(name)}`;
  if (instead === undefined) {
    const message = `${where}: required property is missing; expected ${expected}`;
    return { problem: { path: where, message, expected, found: 'nothing' } };
  }
  const message = `${where}: required property is missing (did you mean "${name}" instead of "${short(instead)}"?); expected ${expected}`;
  return {
    problem: { path: where, message, expected, found: 'nothing', nearest: name },
    instead: `${path}${step(instead)}`,
  };
}

function unknown(path: string, name: string, { node, value }: Context): Told {
  const given = isNode(value) ? value : {};
  const nearest = nearestName(
    name,
    Object.keys(propertiesOf(node)).filter((known) => !Object.hasOwn(given, known)),
  );
  const where = `${path}${step(name)}`;
  const problem = { path: where, expected: 'no such property', found: kindOf(given[name]) };
  if (nearest === undefined) return { problem: { ...problem, message: `${where}: unknown property` } };
  return { problem: { ...problem, message: `${where}: unknown property (did you mean "${nearest}"?)`, nearest } };
}

/** What the keyword of a finding asks for. */
function expectation({ keyword, params }: Finding, node: Node): string {
  const limit = String(params['limit']);
  switch (keyword) {
    case 'type':
    case 'enum':
    case 'const':
      return describe(node);
    case 'anyOf':
    case 'oneOf':
      return keyword === 'oneOf' && names(params['passingSchemas']).length > 0
        ? 'exactly one of the alternatives to fit'
        : describe(node);
    case 'minimum':
      return `at least ${limit}`;
    case 'maximum':
      return `at most ${limit}`;
    case 'exclusiveMinimum':
      return `more than ${limit}`;
    case 'exclusiveMaximum':
      return `less than ${limit}`;
    case 'multipleOf':
      return `a multiple of ${String(params['multipleOf'])}`;
    case 'minLength':
    case 'maxLength':
      return `text of at ${keyword === 'minLength' ? 'least' : 'most'} ${limit} characters`;
    case 'minItems':
    case 'maxItems':
      return `at ${keyword === 'minItems' ? 'least' : 'most'} ${limit} items`;
    case 'minProperties':
    case 'maxProperties':
      return `at ${keyword === 'minProperties' ? 'least' : 'most'} ${limit} properties`;
    case 'boolean':
      return 'nothing here';
    case 'uniqueItems':
      return 'items that differ from each other';
    case '~refine':
      return short(String(params['message']));
    default:
      return `what the schema says under "${keyword}"`;
  }
}

const names = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

const propertiesOf = (node: Node): Node => (isNode(node['properties']) ? node['properties'] : {});
