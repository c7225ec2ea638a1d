/**
 * What a policy finds in `context`. `arguments` holds everything that is sent, declared or not: a key left out would be a
 * key that no rule can forbid. `undeclared` names the top-level keys that the tool's schema does not declare, so that
 * `unless { context.undeclared.isEmpty() }` refuses them all. Numbers have the type that the schema gives them.
 */

import type { TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { ClientFacts } from '../model/request.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Entry, ToolEntry } from '../model/target.ts';
import { judgeArguments } from './argument-kinds/judge-arguments.ts';
import { Place } from './argument-types.ts';
import { toCedarRecord, type CedarRecord } from './cedar-values.ts';
import type { Reads } from './policy-words.ts';

export type Facts = {
  /** What is asked for: its schema says what the arguments are. */
  readonly entry: Entry;
  readonly arguments: JsonObject;
  /** Where one proved itself. */
  readonly workload: TypeAndId | undefined;
  readonly surface: string;
  readonly method: string;
};

const MAX_SURFACE_LENGTH = 128;
const MAX_METHOD_LENGTH = 256;
const NO_ARGUMENTS: JsonObject = Object.freeze({});

/** Only what some applicable policy reads: each value costs the engine time. */
export function contextOf(facts: Facts, reads: Reads, clock: () => number): Result<CedarRecord, string> {
  const context: CedarRecord = {};
  if (reads.arguments) {
    const { entry, arguments: sent } = facts;
    const { argumentNames } = reads;
    const args = toCedarRecord(sent, {
      ...(argumentNames === 'all' ? {} : { only: argumentNames }),
      ...(entry.kind === 'tool' ? { place: placeOf(entry) } : {}),
    });
    if (!args.ok) return args;
    context.arguments = args.value;
    if (reads.undeclared) context.undeclared = undeclaredKeys(entry, sent);
  }
  if (reads.method) {
    if (facts.method.length > MAX_METHOD_LENGTH || !facts.method.isWellFormed())
      return err('The method name is not usable.');
    context.method = facts.method;
  }
  if (reads.surface) context.surface = facts.surface;
  if (reads.workload && facts.workload !== undefined) context.workload = { __entity: facts.workload };
  if (reads.now) context.now = { __extn: { fn: 'datetime', arg: new Date(clock()).toISOString() } };
  return ok(context);
}

/** What the schema says of the arguments, but for those that the operator declared: there policy sees our own reading. */
function placeOf({ inputSchema, declared = [] }: ToolEntry): Place {
  return Place.root(
    inputSchema,
    declared.map(({ steps }) => steps.map(({ name }) => name)),
  );
}

/** What the client calls itself. Claimed, not verified. */
export function surfaceOf(client: ClientFacts): string {
  const name: unknown = client.info?.name;
  return typeof name === 'string' ? name.slice(0, MAX_SURFACE_LENGTH).toWellFormed() : '';
}

/** Of what is known by its method alone. */
export const methodName = (operation: Operation): string => (operation.kind === 'extension' ? operation.method : '');

/**
 * A completion suggests values while a form is being filled in: there are no arguments yet that a policy could judge. Those of
 * a task were judged when its tool was called; what is asked now is whether the caller may still use the tool at all.
 */
export const asksWithoutArguments = (operation: Operation): boolean =>
  operation.kind === 'complete-argument' || operation.kind === 'task';

export function argumentsOf(operation: Operation): JsonObject {
  switch (operation.kind) {
    case 'call-tool':
    case 'get-prompt':
      return operation.arguments;
    case 'extension':
      return operation.params;
    default:
      return NO_ARGUMENTS;
  }
}

/** The arguments with what policy sees where the operator declared a path, a URL or SQL; or why the call must be denied. */
export function judgedArguments(entry: Entry, args: JsonObject): Result<JsonObject, string> {
  return entry.kind === 'tool' && entry.declared !== undefined ? judgeArguments(entry.declared, args) : ok(args);
}

function undeclaredKeys(entry: Entry, args: JsonObject): string[] {
  const declared = declaredKeys(entry);
  // A key that is not Unicode is one that Cedar cannot be told; its place is kept, so that the set is not empty.
  return Object.keys(args).flatMap((key) => (declared(key) ? [] : [key.toWellFormed()]));
}

function declaredKeys(entry: Entry): (key: string) => boolean {
  if (entry.kind === 'tool') {
    const properties = entry.inputSchema.properties;
    return (key) => isJsonObject(properties) && Object.hasOwn(properties, key);
  }
  const listed: unknown = entry.kind === 'prompt' ? entry.definition.arguments : undefined;
  const names = Array.isArray(listed)
    ? listed.map((item: unknown) => (isJsonObject(item) ? item.name : undefined))
    : [];
  return (key) => names.includes(key);
}
