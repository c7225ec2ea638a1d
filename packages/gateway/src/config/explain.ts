/** Turns what the schema objects to into sentences with a place and a way to mend it. */

import type * as z from 'zod';

import { nearestName } from '../model/nearest-name.ts';
import type { ConfigDocument, PathStep } from './document.ts';
import type { ConfigProblem } from './problem.ts';

export type ExplainContext = {
  readonly file: string;
  readonly document: ConfigDocument;
  /** What the issues' own paths are relative to. */
  readonly base: readonly PathStep[];
  readonly server?: string;
  /** The schema that was applied: it knows which keys there are. */
  readonly schema: z.ZodType;
};

/** One problem for each thing that is wrong; of an unknown key, one for each key. */
export function explainIssues(issues: readonly z.core.$ZodIssue[], context: ExplainContext): ConfigProblem[] {
  return issues.flatMap((issue) => {
    const inner = pathSteps(issue.path);
    const path = [...context.base, ...inner];
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(context.schema, inner);
      return issue.keys.map((key) => unknownKey(key, path, known, context));
    }
    return [problemAt(path, describe(issue, valueAt(context.document.value, path)), context)];
  });
}

/** A problem at the place of a path. */
export function problemAt(
  path: readonly PathStep[],
  said: { readonly message: string; readonly mend?: string },
  context: Pick<ExplainContext, 'file' | 'document' | 'server'>,
): ConfigProblem {
  return {
    file: context.file,
    ...context.document.place(path),
    path: pathText(path),
    ...said,
    ...(context.server === undefined ? {} : { server: context.server }),
  };
}

function unknownKey(
  key: string,
  path: readonly PathStep[],
  known: readonly string[],
  context: ExplainContext,
): ConfigProblem {
  const near = nearestName(key, known);
  return {
    file: context.file,
    ...context.document.placeOfKey(path, key),
    path: pathText([...path, key]),
    message: `There is no setting "${key}" here.`,
    mend: near === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean ${near}?`,
    ...(context.server === undefined ? {} : { server: context.server }),
  };
}

function describe(issue: z.core.$ZodIssue, value: unknown): { message: string; mend?: string } {
  switch (issue.code) {
    case 'custom':
      return { message: issue.message };
    case 'invalid_type':
      return value === undefined
        ? { message: `is missing; ${article(issue.expected)} is needed here.` }
        : { message: `has to be ${article(issue.expected)}, not ${kindOf(value)}.` };
    case 'invalid_value': {
      const options = issue.values.map(String);
      const near = typeof value === 'string' ? nearestName(value, options) : undefined;
      const one = options.length === 1 ? `has to be ${options[0]}.` : `has to be one of ${options.join(', ')}.`;
      return near === undefined ? { message: one } : { message: one, mend: `Did you mean ${near}?` };
    }
    case 'invalid_format':
      return {
        message:
          issue.format === 'url' ? 'is not an http or https URL.' : `is not a valid ${formatName(issue.format)}.`,
      };
    case 'invalid_key':
      return { message: 'is not a valid name here.' };
    case 'too_small':
      return {
        message:
          issue.origin === 'number' || issue.origin === 'int' ? `is below ${issue.minimum}.` : 'must not be empty.',
      };
    case 'too_big':
      return { message: `is above ${issue.maximum}.` };
    case 'invalid_union': {
      const inner = issue.errors.at(-1)?.[0];
      return inner === undefined ? { message: 'has the wrong type.' } : describe(inner, value);
    }
    default:
      return { message: `${issue.message}.` };
  }
}

const formatName = (format: string): string =>
  format === 'datetime' ? 'date and time, such as 2027-01-31T00:00:00Z' : format;

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of settings',
  record: 'a map',
};

const article = (expected: string): string => KINDS[expected] ?? `a ${expected}`;

function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  return KINDS[typeof value] ?? `a ${typeof value}`;
}

function pathSteps(path: readonly PropertyKey[]): PathStep[] {
  return path.map((step) => (typeof step === 'number' ? step : String(step)));
}

/** `servers.files.allow[0].tools` */
export function pathText(path: readonly PathStep[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `["${step}"]`;
  }
  return text;
}

function valueAt(value: unknown, path: readonly PathStep[]): unknown {
  let current = value;
  for (const step of path) {
    if (!isRecord(current)) return undefined;
    current = current[step];
  }
  return current;
}

/** The keys that the schema knows at a path, found by walking its definition. */
function knownKeys(schema: z.ZodType, path: readonly PathStep[]): string[] {
  let current: unknown = schema;
  for (const step of path) current = child(unwrap(current), step);
  const shape = definition(unwrap(current))?.['shape'];
  return isRecord(shape) ? Object.keys(shape) : [];
}

function child(schema: unknown, step: PathStep): unknown {
  const def = definition(schema);
  const shape = def?.['shape'];
  if (isRecord(shape)) return shape[step];
  return def?.['element'] ?? def?.['valueType'];
}

/** Through defaults, optionals and transformations to the object beneath. */
function unwrap(schema: unknown): unknown {
  let current = schema;
  for (let inner: unknown = current; inner !== undefined;) {
    current = inner;
    const def = definition(current);
    inner = def?.['innerType'] ?? (def?.['type'] === 'pipe' ? def['in'] : undefined);
  }
  return current;
}

function definition(schema: unknown): Readonly<Record<PathStep, unknown>> | undefined {
  const def = isRecord(schema) ? schema['def'] : undefined;
  return isRecord(def) ? def : undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<PathStep, unknown>> =>
  typeof value === 'object' && value !== null;
