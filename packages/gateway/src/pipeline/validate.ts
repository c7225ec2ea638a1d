/**
 * Step 5: arguments against the schema. After `admit`, so that a refused caller learns nothing about a schema; before
 * `authorize`, because a policy must only ever see arguments of the declared shape.
 */

import type { ArgumentValidator } from '../guard/argument-validator.ts';
import { Refusal, type Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { ResolvedRequest } from '../model/request.ts';

/** Do the `Mcp-Param-*` headers say what the arguments say? (MCP 2026-07-28, streamable HTTP, custom headers) */
export type ParamHeaderCheck = (
  inputSchema: JsonObject,
  args: JsonObject,
  headers: Readonly<Record<string, string>>,
) => Failure | undefined;

const NO_HEADERS: Readonly<Record<string, string>> = {};

export function validate(
  request: ResolvedRequest,
  validator: ArgumentValidator,
  checkParamHeaders: ParamHeaderCheck,
): void | Promise<void> {
  const { operation } = request;
  const entry = request.target.entries[0];
  if (operation.kind !== 'call-tool' || entry.kind !== 'tool') return;
  if (request.client.era === 'modern') {
    // A client mirrors what it knows of: never what is pinned.
    const shown = entry.pins?.shownSchema ?? entry.inputSchema;
    const mismatch = checkParamHeaders(shown, operation.arguments, request.meta.paramHeaders ?? NO_HEADERS);
    if (mismatch !== undefined) throw new Refusal(mismatch);
  }
  return validator.validate(entry, operation.arguments);
}
