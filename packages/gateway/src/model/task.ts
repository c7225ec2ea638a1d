/**
 * Tasks: calls that go on at their server after it has answered (MCP extension `io.modelcontextprotocol/tasks`; before
 * 2026-07-28, server/utilities/tasks of 2025-11-25). Inside, a task is spoken of in the words of the extension.
 */

import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { ClientFacts } from './request.ts';
import type { Era } from './revision.ts';
import type { ServerId } from './target.ts';

export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

/** What a client has to declare to be given a task. */
export const TASKS_CAPABILITY: JsonObject = Object.freeze({ extensions: Object.freeze({ [TASKS_EXTENSION]: {} }) });

export type TaskVerb = 'get' | 'update' | 'cancel';

/** Which task. Plain inside; sealed by the entrypoint into the id that a client carries. */
export type TaskRef = {
  readonly server: ServerId;
  readonly version: string;
  /** The server's own name of the tool that was called: who may not use it any more has no more of its task. */
  readonly tool: string;
  /** The server's own. */
  readonly id: string;
  readonly era: Era;
  /** Of a task that lives in a session or a process: names it where it is held. */
  readonly held?: string;
  /** What a legacy session was told that it may ask, in the words of 2026-07-28: part of what it is found by. */
  readonly profile?: JsonObject;
};

/**
 * What is asked of a server about the task that a permitted call has become. `result` is of 2025-11-25 alone: the extension
 * has results in `get`.
 */
export type TaskStep = {
  readonly kind: 'task-step';
  readonly verb: TaskVerb | 'result';
  readonly ref: TaskRef;
  /** Of `update`. */
  readonly responses?: JsonObject;
};

const TERMINAL: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/** It will not change any more. */
export const isTerminal = (task: JsonObject): boolean => typeof task.status === 'string' && TERMINAL.has(task.status);

/** May this client be given a task? It says so with each request; no earlier revision has a word for it. */
export function takesTasks({ era, capabilities }: Pick<ClientFacts, 'era' | 'capabilities'>): boolean {
  return era === 'modern' && hasExtension(capabilities);
}

/** Does a server that says this of itself answer calls with tasks? */
export function servesTasks(capabilities: JsonObject): boolean {
  return hasExtension(capabilities) || takesTaskCalls(capabilities);
}

export function hasExtension({ extensions }: JsonObject): boolean {
  return isJsonObject(extensions) && isJsonObject(extensions[TASKS_EXTENSION]);
}

/** `tasks.requests.tools.call` of 2025-11-25. */
export function takesTaskCalls({ tasks }: JsonObject): boolean {
  const requests = isJsonObject(tasks) ? tasks.requests : undefined;
  const tools = isJsonObject(requests) ? requests.tools : undefined;
  return isJsonObject(tools) && isJsonObject(tools.call);
}

/** What 2025-11-25 marks everything with that belongs to a task. */
const RELATED_TASK = 'io.modelcontextprotocol/related-task';

/** The task that a question of a 2025-11-25 server belongs to. */
export function relatedTask({ _meta }: JsonObject): string | undefined {
  const mark = isJsonObject(_meta) ? _meta[RELATED_TASK] : undefined;
  return isJsonObject(mark) && typeof mark.taskId === 'string' ? mark.taskId : undefined;
}

/** Without that mark, which has no place where the task itself holds the result, and no meaning where there is no task. */
export function withoutRelatedTask(value: JsonObject): JsonObject {
  const { _meta, ...rest } = value;
  if (!isJsonObject(_meta) || _meta[RELATED_TASK] === undefined) return value;
  const { [RELATED_TASK]: _mark, ...others } = _meta;
  return Object.keys(others).length === 0 ? rest : { ...rest, _meta: others };
}

/** Read from what was sealed, maybe by an older version of us. */
export function readTaskRef(value: Json | undefined): TaskRef | undefined {
  if (!isJsonObject(value)) return undefined;
  const { server, version, tool, id, era, held, profile } = value;
  if (typeof server !== 'string' || typeof version !== 'string' || typeof tool !== 'string') return undefined;
  if (typeof id !== 'string' || (era !== 'legacy' && era !== 'modern')) return undefined;
  return {
    server,
    version,
    tool,
    id,
    era,
    ...(typeof held === 'string' ? { held } : {}),
    ...(isJsonObject(profile) ? { profile } : {}),
  };
}
