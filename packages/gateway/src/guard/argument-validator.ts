/** The port of `guard`: are the arguments well-formed. */

import type { JsonObject } from '../model/json.ts';
import type { ToolEntry } from '../model/target.ts';

export interface ArgumentValidator {
  /**
   * Checks arguments against the tool's input schema, in bounded time however hostile the schema is.
   *
   * @throws Refusal `invalid-arguments` (the message names each field, what was expected and the nearest known name) or
   *   `unusable-schema`.
   */
  validate(tool: ToolEntry, args: JsonObject): void | Promise<void>;
}
