/** Cursors of the record, sealed: for one caller, of one question. */

import { failure, type Failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { PrincipalKey } from '../../model/principal.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { OwnArrival } from '../arrival.ts';

/** @param question What was asked, `tenants=all` included: no cursor leads from one question into another. */
export function sealCursor(
  { parts }: OwnArrival,
  cursor: string,
  { question, owner }: { readonly question: JsonObject; readonly owner: PrincipalKey },
): string {
  const payload = { r: cursor, k: owner, q: parts.digestArguments(question) };
  return parts.sealer.seal('cursor', payload, parts.limits.cursorLifetimeMs);
}

export type OpenedCursor = { readonly after: string; readonly sealedFor: PrincipalKey };

export function openCursor({ parts }: OwnArrival, text: string, question: JsonObject): Result<OpenedCursor, Failure> {
  const opened = parts.sealer.open('cursor', text);
  if (!opened.ok) return err(failure('invalid-cursor', { reason: `the cursor is ${opened.error}` }));
  const { r, k, q } = opened.value;
  if (typeof r !== 'string' || typeof k !== 'string' || q !== parts.digestArguments(question)) {
    const message = 'The cursor belongs to another question. Search again from the start.';
    return err(failure('invalid-cursor', { message }));
  }
  return ok({ after: r, sealedFor: k });
}
