/**
 * A task of a 2025-11-25 server, as one of the extension: its result is fetched when it is there, and its questions, which
 * arrive as requests of the server on the stream of `tasks/result`, are shown and answered like those of the extension
 * (MCP 2025-11-25, server/utilities/tasks, Input Required Status).
 */

import type { Call, SendOptions } from '../../model/call.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { ClientChannel, InputRequests, Outcome } from '../../model/outcome.ts';
import { isTerminal, withoutRelatedTask, type TaskStep, type TaskVerb } from '../../model/task.ts';
import { parseWhole } from '../../protocol/splice.ts';
import { Asked } from '../asking-call.ts';
import type { Clock } from '../clock.ts';
import type { Upstream } from '../connector.ts';
import { broken } from './server-task.ts';

export type StepCall = Call & { readonly step: TaskStep };

/** Whatever has a task: what is asked of it. */
export interface TaskKeeper {
  step(call: StepCall, options: SendOptions): Promise<Outcome>;
  /** Nobody will ask any more. */
  close(): void;
}

/** A question follows `tasks/result` at once, or is not there. Until it has come, the task counts as working. */
const QUESTION_MS = 1_000;
/** For what is asked of the server while no client waits; questions have a bound of their own. */
const SILENT: ClientChannel = { wantsProgress: false, notify: () => undefined };

const ACKNOWLEDGED: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

export class LegacyTask implements TaskKeeper {
  readonly #upstream: Pick<Upstream, 'send'>;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  /** Waits for the person. */
  #question: Asked | undefined;
  /** `tasks/result` is under way, or waits with a question. */
  #isOpen = false;
  #tell: (() => void) | undefined;

  constructor(upstream: Pick<Upstream, 'send'>, clock: Clock) {
    this.#upstream = upstream;
    this.#clock = clock;
  }

  step(call: StepCall, options: SendOptions): Promise<Outcome> {
    switch (call.step.verb) {
      case 'update':
        this.#answer(call.step.responses ?? {});
        return Promise.resolve(ACKNOWLEDGED);
      case 'cancel':
        return this.#cancel(call, options);
      default:
        return this.#get(call, options);
    }
  }

  close(): void {
    this.#question?.open.cancel();
    this.#question = undefined;
    this.#stop.abort();
  }

  async #get(call: StepCall, options: SendOptions): Promise<Outcome> {
    const outcome = await this.#upstream.send(asking(call, 'get'), options);
    if (outcome.kind !== 'task') return outcome;
    const { task } = outcome;
    if (task.status === 'cancelled') return outcome;
    if (isTerminal(task)) return withResult(task, await this.#upstream.send(asking(call, 'result'), options));
    if (task.status !== 'input_required') return outcome;
    if (!this.#isOpen) this.#open(call);
    const requests = await this.#questions(options.signal);
    // Answered already, or not asked yet: nothing that a client could answer.
    return {
      kind: 'task',
      task: requests === undefined ? { ...task, status: 'working' } : { ...task, inputRequests: requests },
    };
  }

  async #cancel(call: StepCall, options: SendOptions): Promise<Outcome> {
    const outcome = await this.#upstream.send(asking(call, 'cancel'), options);
    this.#question?.open.cancel();
    this.#question = undefined;
    const code = outcome.kind === 'failed' ? outcome.failure.upstream?.code : undefined;
    // It is over already, or its server cancels nothing: the extension acknowledges either.
    return code === INVALID_PARAMS || code === METHOD_NOT_FOUND ? ACKNOWLEDGED : outcome;
  }

  #open(call: StepCall): void {
    this.#isOpen = true;
    void this.#follow(this.#upstream.send(asking(call, 'result'), this.#background()));
  }

  /** What is not answered is asked again, under the same key. */
  #answer(responses: JsonObject): void {
    const question = this.#question;
    if (question === undefined) return;
    this.#question = undefined;
    void this.#follow(question.open.resume(responses, this.#background()));
  }

  async #follow(answer: Promise<Outcome>): Promise<void> {
    try {
      const outcome = await answer;
      if (outcome instanceof Asked) {
        this.#question = outcome;
        return;
      }
    } catch {
      // Whoever asks next for the task hears what is wrong.
    } finally {
      this.#isOpen = this.#question !== undefined;
      this.#tell?.();
    }
  }

  async #questions(signal: AbortSignal): Promise<InputRequests | undefined> {
    if (this.#question === undefined) await this.#news(signal);
    return this.#question?.requests;
  }

  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = this.#clock.after(QUESTION_MS, finish);
      signal.addEventListener('abort', finish, { once: true });
      this.#tell = finish;
    });
  }

  #background(): SendOptions {
    return { channel: SILENT, signal: this.#stop.signal, timeoutMs: Infinity };
  }
}

const asking = (call: StepCall, verb: TaskVerb | 'result'): Call => ({ ...call, step: { ...call.step, verb } });

/**
 * The extension has the result in the task. There, a tool that ran and failed has completed its task; `failed` is for an
 * error of the protocol.
 */
function withResult(task: JsonObject, outcome: Outcome): Outcome {
  if (outcome.kind === 'failed') {
    const { upstream } = outcome.failure;
    if (upstream === undefined) return outcome;
    const { code, message, data } = upstream;
    const error = { code, message, ...(data === undefined ? {} : { data }) };
    return { kind: 'task', task: { ...task, status: 'failed', error } };
  }
  const result = outcome.kind === 'complete' ? resultOf(outcome) : undefined;
  return result === undefined
    ? { kind: 'failed', failure: broken("The server's tasks/result is no result of a tool.") }
    : { kind: 'task', task: { ...task, status: 'completed', result: withoutRelatedTask(result) } };
}

function resultOf({ result }: Extract<Outcome, { kind: 'complete' }>): JsonObject | undefined {
  const value = result.kind === 'value' ? result.value : parseWhole(result.message);
  return isJsonObject(value) ? value : undefined;
}
