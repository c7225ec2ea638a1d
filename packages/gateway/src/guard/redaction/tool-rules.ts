/** What an operator wants taken out of the bodies of particular tools, whatever it looks like. */

import { globMatches } from '../../model/glob.ts';
import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import type { BodyOf } from '../../model/redaction.ts';

export type ToolRule = {
  /** A pattern over `server/tool`. */
  readonly tool: string;
  /** Of the arguments and of the result: JSON pointers (RFC 6901) or dotted paths, in which `*` is any member or index. */
  readonly arguments: readonly string[];
  readonly result: readonly string[];
  /** Nothing of the part is kept. */
  readonly withheld: readonly BodyOf['part'][];
};

/** The paths that rules take out of a part of this tool's bodies; undefined when all of it. */
export function pathsFor(rules: readonly ToolRule[], of: BodyOf): readonly (readonly string[])[] | undefined {
  const address = `${of.server}/${of.name}`;
  const meant = rules.filter(({ tool }) => globMatches(tool, address));
  if (meant.some(({ withheld }) => withheld.includes(of.part))) return undefined;
  return meant.flatMap((rule) => rule[of.part].map(parsePath));
}

/** `/a/b~1c/0` or `a.b.*`. */
export function parsePath(path: string): readonly string[] {
  if (!path.startsWith('/')) return path.split('.');
  return path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export const TOOL_RULE = 'tool-rule';
const TAKEN_OUT = `[redacted:${TOOL_RULE}]`;

/** The body without what stands at the paths; copies only the way there. */
export function withoutPaths(body: JsonObject, paths: readonly (readonly string[])[], rules: Set<string>): JsonObject {
  let value: Json = body;
  for (const path of paths) value = without(value, path, rules);
  return isJsonObject(value) ? value : {};
}

function without(value: Json, [step, ...rest]: readonly string[], rules: Set<string>): Json {
  if (step === undefined) {
    rules.add(TOOL_RULE);
    return TAKEN_OUT;
  }
  if (typeof value !== 'object' || value === null) return value;
  const isMeant = (name: string): boolean => step === '*' || step === name;
  if (isList(value)) return value.map((item, index) => (isMeant(String(index)) ? without(item, rest, rules) : item));
  const members = Object.entries(value).map(([name, member]): [string, Json | undefined] => [
    name,
    member !== undefined && isMeant(name) ? without(member, rest, rules) : member,
  ]);
  return Object.fromEntries(members);
}

const isList = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);
