/**
 * Tasks of a 2025-11-25 server (server/utilities/tasks) in the words of the extension that replaced them: what is asked, and
 * what comes back.
 */

import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { failure } from '../../model/failure.ts';
import type { Outcome, UpstreamMessage } from '../../model/outcome.ts';
import type { TaskStep } from '../../model/task.ts';
import type { CoreRequest } from '../core-methods.ts';
import { parseWhole } from '../splice.ts';

/** Undefined for `update`, which this revision has no word for: answers go to the question itself. */
export function stepOf({ verb, ref }: TaskStep): CoreRequest | undefined {
  return verb === 'update' ? undefined : { method: `tasks/${verb}`, params: { taskId: ref.id } };
}

/** The call shall become a task. How long its server keeps it is the server's to say. */
export const asTask = ({ method, params }: CoreRequest): CoreRequest => ({ method, params: { ...params, task: {} } });

const ACKNOWLEDGED: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };

export function decodeStep({ verb }: TaskStep, message: UpstreamMessage): Outcome {
  if (verb === 'cancel') return ACKNOWLEDGED;
  if (verb === 'result') return { kind: 'complete', result: { kind: 'message', message } };
  return outcomeOf(parseWhole(message));
}

/** `CreateTaskResult` has the task in a member of its own. Undefined when it is another result: the server did it at once. */
export function decodeCreated(message: UpstreamMessage): Outcome | undefined {
  if (!message.members.has('task')) return undefined;
  const result = parseWhole(message);
  return isJsonObject(result?.task) ? outcomeOf(result.task) : undefined;
}

const outcomeOf = (task: JsonObject | undefined): Outcome =>
  task === undefined
    ? {
        kind: 'failed',
        failure: failure('upstream-invalid', { sent: 'yes', message: 'The server answered with no task.' }),
      }
    : { kind: 'task', task: flat(task) };

function flat({ ttl, pollInterval, _meta: _theirs, ...task }: JsonObject): JsonObject {
  const poll = wholeMs(pollInterval);
  return { ...task, ttlMs: wholeMs(ttl) ?? null, ...(poll === undefined ? {} : { pollIntervalMs: poll }) };
}

const wholeMs = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && value > 0 ? Math.ceil(value) : undefined;
