/**
 * Task ids as clients carry them: the server's own and what it takes to find the task again, for the caller who made it and
 * the endpoint where it was made. Nobody can guess one, and nobody else can use it (tasks extension, Security Considerations).
 */

import type { PrincipalKey } from '../model/principal.ts';
import { readTaskRef, type TaskRef } from '../model/task.ts';
import type { Sealer } from '../seal/sealer.ts';

export type TaskSealsOptions = {
  readonly sealer: Sealer;
  readonly path: string;
  readonly lifetimeMs: number;
};

export function sealTask(ref: TaskRef, owner: PrincipalKey, { sealer, path, lifetimeMs }: TaskSealsOptions): string {
  return sealer.seal('task', { t: ref, k: owner, p: path }, lifetimeMs);
}

/** Undefined for what is no id of ours, and for one of another endpoint. Whose it is, the pipeline compares. */
export function openTask(
  taskId: string,
  { sealer, path }: TaskSealsOptions,
): { readonly ref: TaskRef; readonly sealedFor: PrincipalKey } | undefined {
  const opened = sealer.open('task', taskId);
  if (!opened.ok) return undefined;
  const { t, k, p } = opened.value;
  const ref = readTaskRef(t);
  return ref === undefined || typeof k !== 'string' || p !== path ? undefined : { ref, sealedFor: k };
}
