/** Compilation and check, as the event loop and the thread both do them. */

import { err, ok, type Result } from '../model/result.ts';
import { compileSchema, type CompiledSchema } from './compile-schema.ts';
import { explain, type Problem } from './explain.ts';
import type { SafeSchema } from './safe-schema.ts';

export type PreparedSchema = { readonly safe: SafeSchema; readonly compiled: CompiledSchema };

export type CheckOutcome =
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] }
  | { readonly kind: 'unusable'; readonly reason: string };

const VALID: CheckOutcome = { kind: 'valid' };

/** What preflight let through should compile; a schema for which it does not is refused like any other. */
export function compilePrepared(safe: SafeSchema): Result<PreparedSchema, string> {
  try {
    return ok({ safe, compiled: compileSchema(safe) });
  } catch (error) {
    return err(`it cannot be compiled: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function checkPrepared({ compiled }: PreparedSchema, args: unknown): CheckOutcome {
  return compiled.check(args) ? VALID : { kind: 'invalid', problems: explain(compiled, args) };
}
