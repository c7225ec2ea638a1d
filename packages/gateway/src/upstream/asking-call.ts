/**
 * A call in the middle of which its server asks something: before 2026-07-28 a request of its own, while ours is open. The
 * call stays open while a person is asked; it goes on when the answers come, and nothing of it is done twice. What it needs
 * of its transport is an `AskingHost`; who holds it while nobody waits is `parking.ts`.
 */

import { readElicited } from '../model/elicitation.ts';
import { failure, failureMessage } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { InputRequests, Outcome } from '../model/outcome.ts';
import type { SendOptions } from '../model/call.ts';
import { withoutRelatedTask } from '../model/task.ts';
import type { JsonRpcId } from '../protocol/codec.ts';
import { errorText, resultText } from '../protocol/json-rpc.ts';
import type { Clock } from './clock.ts';
import { unfinishedMessage } from './streamed-result.ts';

export type ServerQuestion = { readonly id: JsonRpcId; readonly method: string; readonly params: JsonObject };

/** The call as its transport has it. */
export interface AskingHost {
  /** Ends the waiting of whoever waits; the call stays open, and what the server says meanwhile goes nowhere. */
  hand(asked: Asked): void;
  /** Somebody waits again. */
  attach(options: SendOptions): Promise<Outcome>;
  /** Answers a request of the server's. False when the server did not take it. */
  respond(text: string): Promise<boolean>;
  /** The call is given up: whoever waits hears `outcome` at once. Settles when the server was told. */
  giveUp(outcome: Outcome): Promise<void>;
  /** Resolves when the call may be at work again: at once, where others' questions cannot be taken for its own. */
  turn(signal: AbortSignal): Promise<void>;
}

/** A call that waits for answers, as it is parked. */
export interface OpenCall {
  /** Answers what is answered, and waits for what becomes of the call; what is not answered is asked again. */
  resume(responses: JsonObject, options: SendOptions): Promise<Outcome>;
  /** Nobody will answer. */
  cancel(): void;
  /** `tell` is called once, when the call has ended by itself and needs its upstream no more. */
  whenOver(tell: () => void): void;
}

/** The outcome of a call that asks, on its way to where it is parked. */
export class Asked {
  readonly kind = 'input-required';
  readonly requests: InputRequests;
  readonly open: OpenCall;

  constructor(requests: InputRequests, open: OpenCall) {
    this.requests = requests;
    this.open = open;
  }
}

/** Questions that arrive within this time are asked together: a server sends several as fast as it can. */
const GATHER_MS = 5;
const MAX_OPEN = 16;
/** Of a result that came while nobody waited: a server that gives up asking says so in few words. */
const MAX_KEPT_BYTES = 64 * 1024;
const INTERNAL_ERROR = -32603;

export class AskingCall implements OpenCall {
  readonly #host: AskingHost;
  readonly #clock: Clock;
  /** Those without an answer, by the keys that the client knows them under. */
  readonly #questions = new Map<string, ServerQuestion>();
  #asked = 0;
  #isParked = false;
  #isOver = false;
  #kept: Outcome | undefined;
  #stopGathering: (() => void) | undefined;
  #tell: (() => void) | undefined;

  constructor(host: AskingHost, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** False when so many questions are open that this one is refused. */
  ask(question: ServerQuestion): boolean {
    if (this.#questions.size >= MAX_OPEN) return false;
    this.#asked += 1;
    this.#questions.set(`question-${this.#asked}`, { ...question, params: bare(question.params) });
    this.#gather();
    return true;
  }

  /** The server does not want to know any more. */
  withdrawn(id: unknown): void {
    for (const [key, question] of this.#questions) if (question.id === id) this.#questions.delete(key);
  }

  /** The call has ended. True when nobody waits for it: then it is kept for whoever comes back. */
  ended(outcome: Outcome): boolean {
    this.#isOver = true;
    this.#stopGathering?.();
    if (!this.#isParked) return false;
    this.#kept = kept(outcome);
    if (unfinishedMessage(this.#kept) === undefined) this.#tell?.();
    return true;
  }

  whenOver(tell: () => void): void {
    this.#tell = tell;
    if (this.#kept !== undefined && unfinishedMessage(this.#kept) === undefined) tell();
  }

  async resume(responses: JsonObject, options: SendOptions): Promise<Outcome> {
    if (this.#kept !== undefined) return this.#kept;
    await this.#host.turn(options.signal);
    // It may have ended while it waited for its turn.
    if (this.#kept !== undefined) return this.#kept;
    this.#isParked = false;
    // Before the answers leave: what becomes of the call may be here at once.
    const outcome = this.#host.attach(options);
    for (const [key, question] of this.#questions) {
      const answer = responses[key];
      if (!isAnswer(question.method, answer)) continue;
      this.#questions.delete(key);
      void this.#answer(resultText(question.id, answer));
    }
    this.#gather();
    return outcome;
  }

  cancel(): void {
    if (this.#isOver) {
      const unread = this.#kept && unfinishedMessage(this.#kept);
      void unread?.rest?.[Symbol.asyncIterator]().return?.();
      return;
    }
    this.#isOver = true;
    this.#stopGathering?.();
    void this.#end();
  }

  /** The questions are answered last: a server that heard of them first would go on with a call that nobody wants. */
  async #end(): Promise<void> {
    const open = [...this.#questions.values()];
    this.#questions.clear();
    await this.#host.giveUp({ kind: 'failed', failure: failure('cancelled', { sent: 'yes' }) });
    for (const { id } of open) {
      void this.#host.respond(errorText(id, { code: INTERNAL_ERROR, message: 'The question was not answered.' }));
    }
  }

  #gather(): void {
    if (this.#questions.size === 0 || this.#stopGathering !== undefined) return;
    this.#stopGathering = this.#clock.after(GATHER_MS, () => {
      this.#stopGathering = undefined;
      // While nobody waits, it is asked with the next exchange.
      if (this.#isParked || this.#isOver || this.#questions.size === 0) return;
      this.#isParked = true;
      const requests = [...this.#questions].map(([key, { method, params }]) => [key, { method, params }] as const);
      this.#host.hand(new Asked(Object.fromEntries(requests), this));
    });
  }

  async #answer(text: string): Promise<void> {
    if ((await this.#host.respond(text)) || this.#isOver) return;
    const message =
      'The server did not take the answer to its question, perhaps because it was started anew. Call again; it may have done a part of this call.';
    await this.#host.giveUp({ kind: 'failed', failure: failure('upstream-closed', { sent: 'yes', message }) });
  }
}

/** Without what belongs to the conversation with us: the server's progress token, the id of its task, the id of a link (2025-11-25 alone has one). */
function bare(asked: JsonObject): JsonObject {
  const { _meta, elicitationId: _id, ...params } = withoutRelatedTask(asked);
  if (!isJsonObject(_meta)) return params;
  const { progressToken: _token, ...others } = _meta;
  return Object.keys(others).length === 0 ? params : { ...params, _meta: others };
}

/** Of the shape that the question wants; anything else is asked again (MCP 2026-07-28, basic/patterns/mrtr). */
function isAnswer(method: string, answer: Json | undefined): answer is JsonObject {
  if (!isJsonObject(answer)) return false;
  switch (method) {
    case 'elicitation/create':
      return readElicited(answer) !== undefined && (answer.content === undefined || isJsonObject(answer.content));
    case 'sampling/createMessage':
      return typeof answer.role === 'string' && typeof answer.model === 'string' && answer.content !== undefined;
    default:
      return Array.isArray(answer.roots);
  }
}

/** What came while nobody waited. */
function kept(outcome: Outcome): Outcome {
  if (outcome.kind === 'failed') {
    const { code } = outcome.failure;
    if (code !== 'upstream-closed' && code !== 'server-unavailable') return outcome;
    const message = `${failureMessage(outcome.failure)} It happened while its question was open. Call again; the server may have done a part of this call.`;
    return { kind: 'failed', failure: { ...outcome.failure, code: 'upstream-closed', sent: 'yes', message } };
  }
  const isLarge =
    outcome.kind === 'complete' &&
    outcome.result.kind === 'message' &&
    outcome.result.message.rest === undefined &&
    outcome.result.message.head.length > MAX_KEPT_BYTES;
  if (!isLarge) return outcome;
  const message = `The server answered without waiting for the person, with more than the ${MAX_KEPT_BYTES} bytes that are kept of such a result.`;
  return { kind: 'failed', failure: failure('result-too-large', { sent: 'yes', message }) };
}
