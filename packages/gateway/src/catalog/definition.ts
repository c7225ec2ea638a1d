/**
 * One listed definition, looked at before it is believed: it needs a usable name, and a tool a schema. A bad one is left out
 * and told; the others stay.
 */

import { createHash } from 'node:crypto';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { ListKind } from '../model/operation.ts';
import type { ListedItem } from '../model/outcome.ts';
import { err, ok, type Result } from '../model/result.ts';
import { canonicalJson } from '../model/canonical-json.ts';

export type DefinitionLimits = {
  readonly maxNameLength: number;
  readonly maxUriLength: number;
  /** Characters of one definition's text. */
  readonly maxTextLength: number;
  readonly maxDepth: number;
  /** Definitions of one kind that one server may list. */
  readonly maxItems: number;
};

/** Names: twice what MCP 2026-07-28 advises (server/tools, Tool Names: 128). */
export const DEFAULT_DEFINITION_LIMITS: DefinitionLimits = {
  maxNameLength: 256,
  maxUriLength: 4_096,
  maxTextLength: 1_000_000,
  maxDepth: 128,
  maxItems: 5_000,
};

export type Definition = {
  /** The name, URI or URI template: what it is asked for by. */
  readonly name: string;
  readonly definition: JsonObject;
  readonly text: string;
  readonly hash: string;
};

const NAME_KEY: Readonly<Record<ListKind, string>> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  templates: 'uriTemplate',
};

/**
 * Characters that cannot be seen or that turn the direction of text: two names that look alike would be two tools. Controls,
 * format characters (zero-width, bidirectional, tags), separators and spaces that are not the plain one, private use,
 * unassigned, variation selectors, fillers.
 */
const INVISIBLE =
  /[\p{C}\p{Zl}\p{Zp}\p{Variation_Selector}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]|(?! )\p{Zs}|^ | $/u;

/** The definition, frozen; or why it is refused, in words that hold nothing invisible. */
export function readDefinition(kind: ListKind, item: ListedItem, limits: DefinitionLimits): Result<Definition, string> {
  const key = NAME_KEY[kind];
  const name = item.definition[key];
  if (typeof name !== 'string' || name === '') return err(`a definition without "${key}" was left out`);
  const shown = visible(name);
  const maxLength = key === 'name' ? limits.maxNameLength : limits.maxUriLength;
  if (name.length > maxLength) return err(`${shown} was left out: its ${key} is longer than ${maxLength} characters`);
  if (INVISIBLE.test(name))
    return err(`${shown} was left out: its ${key} has invisible or direction-changing characters`);
  if (item.text.length > limits.maxTextLength) {
    return err(`${shown} was left out: its definition is longer than ${limits.maxTextLength} characters`);
  }
  if (isDeeper(item.definition, limits.maxDepth)) {
    return err(`${shown} was left out: its definition is nested more than ${limits.maxDepth} levels deep`);
  }
  if (kind === 'tools' && !isJsonObject(item.definition.inputSchema)) {
    return err(`${shown} was left out: its inputSchema is not an object`);
  }
  const hash = createHash('sha256').update(canonicalJson(item.definition)).digest('hex');
  freezeDeep(item.definition);
  return ok({ name, definition: item.definition, text: item.text, hash });
}

/** A name for a message: short, quoted, with everything but plain ASCII written by its number. */
export function visible(name: string): string {
  const short = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  return JSON.stringify(short).replace(
    /[^\u0020-\u007e…]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function isDeeper(value: Json | undefined, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((member) => isDeeper(member, levels - 1));
}

/** In depth; what is frozen already is taken to be so to its leaves. */
export function freezeDeep(value: Json | undefined): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) freezeDeep(member);
}
