/**
 * Calls that their servers answer with tasks: handed on to clients that take them, waited for where they do not. Outside
 * retries and the breaker, which count for each step; within the time of the call.
 */

import type { Call, Interceptor, SendOptions } from '../../model/call.ts';
import { failure } from '../../model/failure.ts';
import { isJsonObject } from '../../model/json.ts';
import type { Operation } from '../../model/operation.ts';
import type { Continuation, Outcome } from '../../model/outcome.ts';
import { takesTasks, type TaskRef } from '../../model/task.ts';
import type { Clock } from '../clock.ts';
import { ofTheServer } from '../questions.ts';
import { isUnknownTask, questionsOf, readTask, unknownTask } from './server-task.ts';
import { TaskProgress } from './task-progress.ts';
import type { TaskWaits } from './task-waits.ts';
import { TaskWait, type PollLimits, type WaitParts, type Waiting } from './wait-for-task.ts';

export type TasksParts = {
  readonly clock: Clock;
  readonly poll: PollLimits;
  readonly waits: TaskWaits;
  readonly drop: (ref: TaskRef) => void;
};

type Continued = Extract<Continuation, { kind: 'task' }>;

const NOTHING_ANSWERED: ReadonlySet<string> = new Set();

export function tasks(parts: TasksParts): Interceptor {
  return (next) => {
    const waiting: WaitParts = { ...parts, next };
    return (call, options) => {
      const { operation } = call.intent.permit;
      if (operation.kind === 'task') return askedFor(call, operation, options, waiting);
      if (operation.kind !== 'call-tool') return next(call, options);
      const continuation = options.answers?.continuation;
      if (continuation?.kind === 'task') return goOn(call, continuation, options, waiting);
      return takesTasks(call.client) ? next(call, options) : waitedFor(call, options, waiting);
    };
  };
}

async function waitedFor(call: Call, options: SendOptions, parts: WaitParts): Promise<Outcome> {
  const progress = progressOf(options, 0);
  const outcome = await parts.next(call, progress === undefined ? options : { ...options, channel: progress });
  if (outcome.kind !== 'task' || outcome.ref === undefined) return outcome;
  const wait: Waiting = { call, options, ref: outcome.ref, answered: NOTHING_ANSWERED };
  const first = readTask(outcome.task);
  return new TaskWait(parts, wait, progress).end(first.ok ? first.value : undefined);
}

/** The client is back with answers: they go to the task, and the call is waited for as before. Nothing is called again. */
async function goOn(call: Call, continuation: Continued, options: SendOptions, parts: WaitParts): Promise<Outcome> {
  const { ref, waitId, reached = 0 } = continuation;
  parts.waits.goOn(waitId);
  const fault = strangeness(call, ref);
  if (fault !== undefined) return fault;
  const responses = ofTheServer(options.answers?.responses ?? {});
  const answered = new Set(Object.keys(responses));
  if (answered.size > 0) {
    const { signal, timeoutMs, channel } = options;
    const step = { kind: 'task-step', verb: 'update', ref, responses } as const;
    const told = await parts.next({ ...call, step }, { signal, timeoutMs, channel });
    if (told.kind === 'failed') return isUnknownTask(told) ? GONE : told;
  }
  return new TaskWait(parts, { call, options, ref, answered }, progressOf(options, reached)).end();
}

const progressOf = ({ channel }: SendOptions, reached: number): TaskProgress | undefined =>
  channel.wantsProgress ? new TaskProgress(channel, reached) : undefined;

/** What a client that has the task asks after it. */
async function askedFor(
  call: Call,
  { verb, ref, params }: Extract<Operation, { kind: 'task' }>,
  options: SendOptions,
  { next, drop }: WaitParts,
): Promise<Outcome> {
  if (ref === undefined) return GONE;
  const fault = strangeness(call, ref);
  if (fault !== undefined) return fault;
  const { inputResponses } = params;
  const step = {
    kind: 'task-step',
    verb,
    ref,
    responses: ofTheServer(isJsonObject(inputResponses) ? inputResponses : {}),
  } as const;
  const stepped: Call = { ...call, step };
  const outcome = await next(stepped, options);
  if (isUnknownTask(outcome)) {
    drop(ref);
    return GONE;
  }
  return outcome.kind === 'task' ? asShown(stepped, outcome) : outcome;
}

/** A task that asks what its client cannot answer, or in no valid way, is not shown so. */
function asShown(call: Call, outcome: Extract<Outcome, { kind: 'task' }>): Outcome {
  const task = readTask(outcome.task);
  if (!task.ok) return { kind: 'failed', failure: task.error };
  if (task.value.status !== 'input_required') {
    // Questions of a task that asks nothing would be looked at by nobody but a careless client.
    const { inputRequests: _unasked, ...shown } = outcome.task;
    return { ...outcome, task: shown };
  }
  const questions = questionsOf(call, task.value);
  if (!questions.ok) return { kind: 'failed', failure: questions.error };
  return { ...outcome, task: { ...outcome.task, inputRequests: questions.value } };
}

/** A server that was registered anew is another one. */
function strangeness({ entry }: Call, { server, version, tool }: TaskRef): Outcome | undefined {
  const isSame = server === entry.server.id && version === entry.server.version && tool === entry.name;
  if (isSame) return undefined;
  const reason = 'the task belongs to another server, or to another version of it';
  return { kind: 'failed', failure: failure('unknown-task', { reason }) };
}

const GONE: Outcome = { kind: 'failed', failure: unknownTask('its server does not know it, or not any more') };
