/** Tools with a given schema, and what becomes of a call to them. */

import { Refusal, type Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import { UNKNOWN_TRAITS, type ToolEntry } from '../model/target.ts';
import type { ArgumentValidator } from './argument-validator.ts';

/** Generous: a loaded machine must not turn an answer into an overrun. */
export const PATIENT = { deadlineMs: 15_000, maxWaitMs: 15_000 };

export function tool(inputSchema: JsonObject): ToolEntry {
  return {
    kind: 'tool',
    server: { id: 'files', version: '1', sharing: 'shared' },
    name: 'a_tool',
    aggregateName: 'files_a_tool',
    definition: {},
    text: '{}',
    hash: '',
    traits: UNKNOWN_TRAITS,
    inputSchema,
  };
}

export const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: 'object',
  properties,
  ...more,
});

export async function failureOf(by: ArgumentValidator, of: ToolEntry, args: JsonObject): Promise<Failure | undefined> {
  try {
    await by.validate(of, args);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.failure;
    throw error;
  }
}
