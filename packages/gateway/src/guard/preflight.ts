/**
 * Makes a stranger's schema safe to compile, or says why it is not: bounded in size, depth and expansion, without remote
 * references, with only the keywords that we know, each well-formed, and with regular expressions in linear time.
 */

import type { JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { rewriteSchema, type SafeSchema } from './safe-schema.ts';
import { measure, TooLarge, Unsafe, type SchemaLimits } from './schema-size.ts';

/** The error says what is wrong with the schema and where; `size` when larger limits might allow it. */
export function preflight(
  schema: JsonObject,
  limits: SchemaLimits,
): Result<SafeSchema, { readonly reason: string; readonly size: boolean }> {
  try {
    measure(schema, limits);
    return ok(rewriteSchema(schema, limits));
  } catch (error) {
    if (error instanceof Unsafe) return err({ reason: error.message, size: error instanceof TooLarge });
    throw error;
  }
}
