/**
 * What the operator pinned is set on the call. After `admit`, so that a refused caller learns nothing of it; before everything
 * that looks at arguments, so that schema, policy, approval, record and server all see the call that is made.
 */

import { refuse } from '../model/failure.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { ToolEntry } from '../model/target.ts';
import type { Trail } from '../model/trail.ts';

/** @throws Refusal `invalid-arguments` when the client sends what is pinned, whatever its value. */
export function pin(request: ResolvedRequest, trail: Trail): ResolvedRequest {
  const { operation } = request;
  const [entry] = request.target.entries;
  if (operation.kind !== 'call-tool' || entry.kind !== 'tool' || entry.pins === undefined) return request;
  const sent = sentAnyway(entry, entry.pins.arguments, operation.arguments);
  if (sent !== undefined) {
    throw refuse('invalid-arguments', { message: `${JSON.stringify(shortened(sent))}: unknown property` });
  }
  const args = Object.freeze({ ...operation.arguments, ...entry.pins.arguments });
  const pinned = { ...operation, arguments: args };
  trail.note({ kind: 'pinned', operation: pinned });
  return { ...request, operation: pinned };
}

/** Also under a name that differs only in case, which many servers read as the same, unless the tool has it as its own. */
function sentAnyway({ inputSchema }: ToolEntry, pinned: JsonObject, args: JsonObject): string | undefined {
  const { properties } = inputSchema;
  const folded = new Set(Object.keys(pinned).map(fold));
  return Object.keys(args).find((key) => {
    if (Object.hasOwn(pinned, key)) return true;
    return folded.has(fold(key)) && !(isJsonObject(properties) && Object.hasOwn(properties, key));
  });
}

const fold = (name: string): string => name.normalize('NFKC').toLowerCase();

const shortened = (name: string): string => (name.length > 80 ? `${name.slice(0, 80)}…` : name);
