/** A task as its server tells it: checked, because ids travel in headers and questions reach people. */

import { operationOf, type Call } from '../../model/call.ts';
import { askableCapabilities } from '../../model/elicitation.ts';
import { failure, type Failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { InputRequests, Outcome } from '../../model/outcome.ts';
import type { Result } from '../../model/result.ts';
import { err, ok } from '../../model/result.ts';
import type { Revision } from '../../model/revision.ts';
import { hasExtension, TASKS_CAPABILITY, takesTaskCalls, takesTasks } from '../../model/task.ts';
import { capabilitiesOf, questionsFault } from '../questions.ts';

export type ServerTask = {
  readonly id: string;
  readonly status: 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';
  readonly statusMessage?: string;
  readonly pollIntervalMs?: number;
  readonly fields: JsonObject;
};

/** It travels within our own id, in a header. */
const MAX_ID_CHARACTERS = 512;

const STATUSES = ['working', 'input_required', 'completed', 'failed', 'cancelled'] as const;

export const broken = (what: string): Failure => failure('upstream-invalid', { sent: 'yes', message: what });

export function readTask(fields: JsonObject): Result<ServerTask, Failure> {
  const { taskId, status, statusMessage, pollIntervalMs } = fields;
  if (typeof taskId !== 'string' || taskId === '' || taskId.length > MAX_ID_CHARACTERS) {
    return err(broken(`The server made a task without an id of 1 to ${MAX_ID_CHARACTERS} characters.`));
  }
  const known = STATUSES.find((name) => name === status);
  if (known === undefined) return err(broken("The server's task is in a state that is not known."));
  return ok({
    id: taskId,
    status: known,
    ...(typeof statusMessage === 'string' ? { statusMessage } : {}),
    ...(typeof pollIntervalMs === 'number' && pollIntervalMs > 0 ? { pollIntervalMs } : {}),
    fields,
  });
}

/** What the task asks, as far as this client can answer it. */
export function questionsOf({ client }: Call, { fields }: ServerTask): Result<InputRequests, Failure> {
  const requests: Record<string, InputRequests[string]> = {};
  for (const [key, request] of Object.entries(isJsonObject(fields.inputRequests) ? fields.inputRequests : {})) {
    if (!isJsonObject(request) || typeof request.method !== 'string') {
      return err(broken("The task's questions are not valid input requests."));
    }
    requests[key] = { method: request.method, params: isJsonObject(request.params) ? request.params : {} };
  }
  const fault = questionsFault(requests, askableCapabilities(client));
  return fault === undefined ? ok(requests) : err(fault);
}

/** What a modern server is told with this request. Whoever of our clients takes no tasks is waited for. */
export function capabilitiesFor(call: Call, serves: JsonObject): JsonObject {
  const askable = capabilitiesOf(call);
  const { kind } = operationOf(call);
  const mayBeTask = kind === 'task-step' || (kind === 'call-tool' && hasExtension(serves));
  return mayBeTask ? { ...askable, ...TASKS_CAPABILITY } : askable;
}

/**
 * Is a server of 2025-11-25 told to make a task of this call? Where the tool cannot be called otherwise; and where it may, if
 * the client takes tasks (server/utilities/tasks, Tool-Level Negotiation).
 */
export function isCalledAsTask(call: Call, revision: Revision, serves: JsonObject): boolean {
  const { entry } = call;
  if (revision !== '2025-11-25' || entry.kind !== 'tool' || operationOf(call).kind !== 'call-tool') return false;
  const { execution } = entry.definition;
  const support = isJsonObject(execution) ? execution.taskSupport : undefined;
  if (support !== 'required' && !(support === 'optional' && takesTasks(call.client))) return false;
  return takesTaskCalls(serves);
}

const INVALID_PARAMS = -32602;

/** The server has no task of that name: it is over, or was in a session or a process that has ended. */
export const isUnknownTask = (outcome: Outcome): boolean =>
  outcome.kind === 'failed' && outcome.failure.upstream?.code === INVALID_PARAMS;

export const unknownTask = (reason: string): Failure => failure('unknown-task', { sent: 'yes', reason });
