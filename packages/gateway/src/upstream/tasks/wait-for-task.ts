/**
 * One call that has become a task, for a client that takes none: its server is asked again and again until the task has ended,
 * within the call's own time. What the task asks meanwhile is asked as a question of the call; when the client leaves, or
 * the time is over, the task is cancelled.
 */

import type { Call, Send, SendOptions } from '../../model/call.ts';
import { failure, FAILURES, Refusal, type Failure } from '../../model/failure.ts';
import type { ClientChannel, Outcome } from '../../model/outcome.ts';
import type { TaskRef, TaskStep } from '../../model/task.ts';
import type { Clock } from '../clock.ts';
import { broken, isUnknownTask, questionsOf, readTask, unknownTask, type ServerTask } from './server-task.ts';
import { outcomeOf } from './task-outcome.ts';
import { TaskProgress } from './task-progress.ts';
import type { TaskWaits } from './task-waits.ts';

export type PollLimits = { readonly minPollMs: number; readonly maxPollMs: number };

export type WaitParts = {
  readonly clock: Clock;
  readonly poll: PollLimits;
  readonly waits: TaskWaits;
  /** The task is over, or given up: what held its upstream lets go. */
  readonly drop: (ref: TaskRef) => void;
  readonly next: Send;
};

export type Waiting = {
  readonly call: Call;
  readonly options: SendOptions;
  readonly ref: TaskRef;
  /** Questions that the client has answered: a server may show them a little longer. */
  readonly answered: ReadonlySet<string>;
};

/** In a row; a server that restarts its front is given time for it. */
const MAX_FAILED_POLLS = 3;
/** Of a server that says nothing of how often. */
const DEFAULT_POLL_MS = 1_000;
const CANCEL_MS = 5_000;

const SILENT: ClientChannel = { wantsProgress: false, notify: () => undefined };

export class TaskWait {
  readonly #parts: WaitParts;
  readonly #waiting: Waiting;
  readonly #progress: TaskProgress | undefined;

  constructor(parts: WaitParts, waiting: Waiting, progress: TaskProgress | undefined) {
    this.#parts = parts;
    this.#waiting = waiting;
    this.#progress = progress;
  }

  /** @param first As it was made, where it was made now. */
  async end(first?: ServerTask): Promise<Outcome> {
    const { waits } = this.#parts;
    const { call } = this.#waiting;
    const leave = waits.enter(call.intent.permit.principal.key);
    if (typeof leave !== 'function') return this.#giveUp(leave);
    let outcome: Outcome;
    try {
      outcome = await this.#follow(first, leave);
    } catch (error) {
      leave();
      throw error;
    }
    if (outcome.kind !== 'input-required') leave();
    return outcome;
  }

  async #follow(first: ServerTask | undefined, leave: () => void): Promise<Outcome> {
    const { signal, alive } = this.#waiting.options;
    let task = first;
    for (let failed = 0; ;) {
      if (task !== undefined) this.#progress?.tell(task);
      if (!(await this.#pause(task))) return this.#giveUp(reasonOf(signal));
      const outcome = await this.#ask('get');
      if (signal.aborted) return this.#giveUp(reasonOf(signal));
      if (outcome.kind === 'failed') {
        failed += 1;
        if (failed <= MAX_FAILED_POLLS && mayPass(outcome.failure)) continue;
        return this.#giveUp(
          isUnknownTask(outcome) ? unknownTask('its server does not know it any more') : outcome.failure,
        );
      }
      failed = 0;
      const read = outcome.kind === 'task' ? readTask(outcome.task) : undefined;
      if (read?.ok !== true) return this.#giveUp(read?.error ?? broken('The server answered tasks/get with no task.'));
      task = read.value;
      alive?.();
      const end = this.#endOf(task, leave);
      if (end !== undefined) return end;
    }
  }

  /** Undefined while the task is at work. */
  #endOf(task: ServerTask, leave: () => void): Outcome | undefined {
    const { ref } = this.#waiting;
    if (task.status === 'working') return undefined;
    if (task.status === 'input_required') return this.#question(task, leave);
    this.#progress?.tell(task);
    this.#parts.drop(ref);
    return outcomeOf(task, ref.era);
  }

  #question(task: ServerTask, leave: () => void): Outcome | undefined {
    const { call, ref, answered } = this.#waiting;
    const questions = questionsOf(call, task);
    if (!questions.ok) return this.#giveUp(questions.error);
    const open = Object.entries(questions.value).filter(([key]) => !answered.has(key));
    if (open.length === 0) return undefined;
    // Its answer would come with the call made again, and an approval is for one call.
    if (call.intent.permit.obligations.length > 0) return this.#giveUp(NOT_WHEN_APPROVED);
    const waitId = this.#parts.waits.ask(leave, () => void this.#cancel());
    const reached = this.#progress?.reached;
    return {
      kind: 'input-required',
      requests: Object.fromEntries(open),
      continuation: { kind: 'task', ref, waitId, ...(reached === undefined ? {} : { reached }) },
    };
  }

  #ask(verb: TaskStep['verb']): Promise<Outcome> {
    const { call, options, ref } = this.#waiting;
    const { signal, timeoutMs } = options;
    return this.#parts.next(
      { ...call, step: { kind: 'task-step', verb, ref } },
      { channel: SILENT, signal, timeoutMs },
    );
  }

  /** False when nobody waits any more. */
  #pause(task: ServerTask | undefined): Promise<boolean> {
    const { clock, poll } = this.#parts;
    const { signal } = this.#waiting.options;
    const wanted = task?.pollIntervalMs ?? DEFAULT_POLL_MS;
    const ms = task === undefined ? 0 : Math.max(poll.minPollMs, Math.min(wanted, poll.maxPollMs));
    return new Promise((resolve) => {
      const leave = (): void => {
        cancel();
        resolve(false);
      };
      const cancel = clock.after(ms, () => {
        signal.removeEventListener('abort', leave);
        resolve(!signal.aborted);
      });
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
    });
  }

  /** The call ends with this, and nobody wants the task. */
  #giveUp(of: Failure): Outcome {
    void this.#cancel();
    return { kind: 'failed', failure: of.sent === 'yes' ? of : { ...of, sent: 'yes' } };
  }

  async #cancel(): Promise<void> {
    const { call, ref } = this.#waiting;
    const { clock, next, drop } = this.#parts;
    const stop = new AbortController();
    const cancelTimer = clock.after(CANCEL_MS, () => stop.abort());
    try {
      const step: TaskStep = { kind: 'task-step', verb: 'cancel', ref };
      await next({ ...call, step }, { channel: SILENT, signal: stop.signal, timeoutMs: CANCEL_MS });
    } catch {
      // Its server ends the task by itself when its time is over.
    } finally {
      cancelTimer();
      drop(ref);
    }
  }
}

function mayPass(of: Failure): boolean {
  const { fault, retry } = FAILURES[of.code];
  return of.upstream === undefined && fault !== 'caller' && retry && of.code !== 'draining';
}

function reasonOf(signal: AbortSignal): Failure {
  const reason: unknown = signal.reason;
  return reason instanceof Refusal ? reason.failure : failure('cancelled', { sent: 'yes' });
}

const NOT_WHEN_APPROVED = failure('missing-capability', {
  sent: 'yes',
  message:
    'The tool asks something in the middle of an approved call, which can be asked only of a client that takes tasks ' +
    '(extension io.modelcontextprotocol/tasks). The task was cancelled at its server.',
});
