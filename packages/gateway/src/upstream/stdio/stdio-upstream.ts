/**
 * A server process as an `Upstream`: every call one line out, and the answer that carries its id back. An HTTP+SSE session
 * is such a pipe as well, whose two directions are two things.
 */

import { operationOf, type Call, type SendOptions } from '../../model/call.ts';
import { failure, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ClientChannel, Discovery, Outcome } from '../../model/outcome.ts';
import type { ClientCodec } from '../../protocol/codec.ts';
import type { PrincipalKey } from '../../model/principal.ts';
import type { TaskStep } from '../../model/task.ts';
import type { LogLevel } from '../../model/log-level.ts';
import type { Transport } from '../../model/trail.ts';
import { errorText, requestText } from '../../protocol/json-rpc.ts';
import { AskingCall, type Asked, type AskingHost, type ServerQuestion } from '../asking-call.ts';
import type { Clock } from '../clock.ts';
import type { Upstream } from '../connector.ts';
import { atVerbosity, goOnAtVerbosity, LogVerbosity, SET_LEVEL_TIMEOUT_MS } from '../log-verbosity.ts';
import { answersFor, mayAskDuring } from '../questions.ts';
import { reachedAs } from '../reached.ts';
import { capabilitiesFor, isCalledAsTask } from '../tasks/server-task.ts';
import { LogMessages, type LogTaker } from './log-messages.ts';
import { openStdioFeed } from './stdio-feeds.ts';
import { ask, processGone } from './stdio-session.ts';
import type { Conversation } from './stdio-session.ts';
import type { Answer, Waiting } from './multiplexer.ts';
import { Turns, type AskingHabit, type TurnTaker } from './turns.ts';

export type StdioUpstreamParts = {
  readonly session: Conversation;
  readonly transport: Extract<Transport, 'stdio' | 'sse'>;
  readonly codec: ClientCodec;
  /** What the handshake told. A legacy server says it once; a modern one is asked again. */
  readonly discovery: Discovery;
  /** What a legacy server was told that it may ask, in the words of 2026-07-28. */
  readonly capabilities: JsonObject;
  /** The process may serve several people. */
  readonly isShared: boolean;
  readonly habit: AskingHabit;
  readonly clock: Clock;
  readonly maxLineBytes: number;
  /** A log message that could be anybody's. */
  readonly logDropped: () => void;
};

const INTERNAL_ERROR = -32603;
const ALIVE: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };

export function createStdioUpstream(parts: StdioUpstreamParts): Upstream {
  const { session, codec } = parts;
  const asks = codec.era === 'legacy' && Object.keys(parts.capabilities).length > 0;
  const turns = asks ? createTurns(parts) : undefined;
  const { clock, isShared, logDropped: dropped } = parts;
  const logs = new LogMessages({ clock, isShared, dropped });
  session.multiplexer.logs = logs;
  const verbosity = createVerbosity(parts);
  return {
    era: codec.era,
    revision: codec.revision,
    transport: parts.transport,
    reached: reachedAs({ revision: codec.revision, transport: parts.transport }, parts.discovery),
    ...(session.stderr === undefined ? {} : { stderr: session.stderr }),
    ended: session.ended,
    close: () => session.close(),
    openFeed: (listener) =>
      openStdioFeed({ session, codec, clock: parts.clock, capabilities: parts.discovery.capabilities }, listener),
    isDoubtful: () => turns?.isDoubtful === true,
    send(call, options) {
      const operation = operationOf(call);
      if (operation.kind === 'discover' && codec.era === 'legacy') {
        return Promise.resolve({ kind: 'discovered', discovery: parts.discovery });
      }
      // The modern revision has no ping; that the process runs is all that there is to say.
      if (operation.kind === 'ping' && codec.era === 'modern') return Promise.resolve(ALIVE);
      if (options.signal.aborted) return Promise.resolve(failed(abortFailure(options.signal, 'no')));
      const shared = { ...parts, turns, logs, verbosity };
      if (operation.kind === 'task-step') {
        return stepOf(operation, new PendingCall({ ...shared, turns: undefined }, call), options, turns);
      }
      return atVerbosity(verbosity, options, () => exchange(new PendingCall(shared, call), options, turns));
    },
  };
}

/** For a legacy server that logs, where what it says can reach anybody. */
function createVerbosity({ session, codec, discovery, isShared, clock }: StdioUpstreamParts): LogVerbosity | undefined {
  if (codec.era !== 'legacy' || isShared || discovery.capabilities['logging'] === undefined) return undefined;
  const setLevel = async (level: LogLevel): Promise<void> => {
    const id = session.multiplexer.nextId();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(SET_LEVEL_TIMEOUT_MS, resolve);
    await Promise.race([ask(session, id, requestText(id, 'logging/setLevel', { level })), late]);
    cancel();
  };
  return new LogVerbosity({ clock, setLevel });
}

/** What is asked of a task takes no turn: its questions say whose they are. */
async function stepOf(
  { verb, ref }: TaskStep,
  pending: PendingCall,
  options: SendOptions,
  turns: Turns | undefined,
): Promise<Outcome> {
  if (verb === 'result') pending.whenDone(turns?.follow(ref.id, pending));
  return pending.start(options);
}

function exchange(pending: PendingCall, options: SendOptions, turns: Turns | undefined): Promise<Outcome> {
  const turn = turns?.enter(pending, options.signal);
  if (turn === undefined) return pending.start(options);
  return turn.then((fault) => {
    if (fault !== undefined) return failed(fault);
    if (!options.signal.aborted) return pending.start(options);
    turns?.leave(pending, true);
    return failed(abortFailure(options.signal, 'no'));
  });
}

/** What the calls of one process have in common. */
type SharedParts = StdioUpstreamParts & {
  readonly turns: Turns | undefined;
  readonly logs: LogMessages;
  readonly verbosity: LogVerbosity | undefined;
};

/** One call while its answer is awaited. */
class PendingCall implements Waiting, AskingHost, TurnTaker, LogTaker {
  readonly principal: PrincipalKey;
  progressed: NonNullable<Waiting['progressed']> | undefined;
  #log: ((params: JsonObject) => void) | undefined;
  readonly #parts: SharedParts;
  readonly #call: Call;
  readonly #id: number;
  readonly #abort = (): void => this.#leave();
  /** Whoever waits; undefined while a person is asked and the call is parked. */
  #waiting: { readonly options: SendOptions; readonly resolve: (outcome: Outcome) => void } | undefined;
  /** Once its server has asked something. */
  #asking: AskingCall | undefined;
  #done: (() => void) | undefined;

  constructor(parts: SharedParts, call: Call) {
    this.#parts = parts;
    this.#call = call;
    this.#id = parts.session.multiplexer.nextId();
    this.principal = call.intent.permit.principal.key;
  }

  start(options: SendOptions): Promise<Outcome> {
    let text: string;
    try {
      text = encode(this.#parts, this.#call, { id: this.#id, options });
    } catch (error) {
      this.#parts.turns?.leave(this, true);
      return error instanceof Refusal ? Promise.resolve(failed(error.failure)) : Promise.reject(error);
    }
    this.#parts.logs.enter(this);
    const outcome = this.attach(options);
    if (!this.#parts.session.multiplexer.request(this.#id, text, this)) this.#finish(failed(notReading()), true);
    return outcome;
  }

  attach(options: SendOptions): Promise<Outcome> {
    return new Promise((resolve) => {
      const { codec, verbosity } = this.#parts;
      const { channel } = options;
      this.#waiting = { options, resolve };
      if (this.#asking !== undefined) goOnAtVerbosity(verbosity, options);
      this.progressed = channel.wantsProgress ? forward('notifications/progress', codec, channel) : undefined;
      this.#log = channel.logLevel === undefined ? undefined : forward('notifications/message', codec, channel);
      options.signal.addEventListener('abort', this.#abort, { once: true });
      if (options.signal.aborted) this.#leave();
    });
  }

  whenDone(done: (() => void) | undefined): void {
    this.#done = done;
  }

  answered(answer: Answer): void {
    this.#finish(decode(this.#parts, this.#call, answer), true);
  }

  tooLarge(bytes: number): void {
    this.#finish(failed(tooLarge(bytes, this.#parts.maxLineBytes)), true);
  }

  turnedAway(of: Failure): void {
    this.#finish(failed(of), true);
  }

  lost(written: boolean): void {
    this.#finish(failed(processGone(this.#parts.session, written)), true);
  }

  logged(params: JsonObject): void {
    this.#log?.(params);
  }

  ask(question: ServerQuestion): boolean {
    if (!mayAskDuring(this.#call, this.#parts.capabilities, question)) return false;
    this.#asking ??= new AskingCall(this, this.#parts.clock);
    return this.#asking.ask(question);
  }

  withdrawn(id: unknown): void {
    this.#asking?.withdrawn(id);
  }

  hand(asked: Asked): void {
    const resolve = this.#detach();
    this.#parts.turns?.park(this);
    resolve?.(asked);
  }

  respond(text: string): Promise<boolean> {
    return this.#parts.session.multiplexer.respond(text);
  }

  async turn(signal: AbortSignal): Promise<void> {
    await this.#parts.turns?.goOn(this, signal);
  }

  giveUp(outcome: Outcome): Promise<void> {
    const reached = this.#parts.session.multiplexer.forget(this.#id, NOT_AWAITED);
    this.#finish(outcome, !reached);
    return Promise.resolve();
  }

  #leave(): void {
    const signal = this.#waiting?.options.signal;
    if (signal === undefined) return;
    const reached = this.#parts.session.multiplexer.forget(this.#id, NOT_AWAITED);
    this.#finish(failed(abortFailure(signal, reached ? 'maybe' : 'no')), !reached);
  }

  /** `isDone`: the server is not at work for it any more. */
  #finish(outcome: Outcome, isDone: boolean): void {
    this.#parts.turns?.leave(this, isDone);
    this.#parts.logs.leave(this, isDone);
    this.#done?.();
    if (this.#asking?.ended(outcome) !== true) this.#detach()?.(outcome);
  }

  #detach(): ((outcome: Outcome) => void) | undefined {
    const waiting = this.#waiting;
    waiting?.options.signal.removeEventListener('abort', this.#abort);
    this.#waiting = undefined;
    this.progressed = undefined;
    this.#log = undefined;
    return waiting?.resolve;
  }
}

const NOT_AWAITED = 'The caller no longer waits.';

/** For a process that was told that it may ask. */
function createTurns({ session: { multiplexer }, clock, isShared, habit }: StdioUpstreamParts): Turns {
  const refuse = ({ id }: ServerQuestion, message: string): void =>
    void multiplexer.respond(errorText(id, { code: INTERNAL_ERROR, message }));
  const turns = new Turns({ clock, isShared, habit, refuse });
  multiplexer.questions = {
    asked: (question) => turns.asked(question),
    withdrawn: (id) => turns.withdrawn(id),
  };
  return turns;
}

type RequestParts = { readonly id: number; readonly options: SendOptions };

function encode({ codec, discovery }: StdioUpstreamParts, call: Call, { id, options }: RequestParts): string {
  const { entry } = call;
  const { upstreamCursor, channel } = options;
  const answers = answersFor(call, options);
  return codec.encodeRequest({
    id,
    operation: operationOf(call),
    meta: call.meta,
    client: call.client,
    ...(channel.wantsProgress ? { progressToken: id } : {}),
    ...(entry.kind === 'tool' ? { inputSchema: entry.inputSchema } : {}),
    ...(upstreamCursor === undefined ? {} : { upstreamCursor }),
    ...(codec.era === 'modern'
      ? { capabilities: capabilitiesFor(call, discovery.capabilities) }
      : { asTask: isCalledAsTask(call, codec.revision, discovery.capabilities) }),
    ...(answers === undefined ? {} : { answers }),
  }).body;
}

function decode({ codec, discovery }: StdioUpstreamParts, call: Call, answer: Answer): Outcome {
  if (answer.kind === 'error') return failed(codec.decodeError(operationOf(call), answer.error));
  const isTask = isCalledAsTask(call, codec.revision, discovery.capabilities);
  return codec.decodeResult(operationOf(call), answer.message, isTask);
}

/** While the client has not taken the last notice, newer ones are dropped: the pipe is everyone's and must not wait. */
function forward(method: string, codec: ClientCodec, channel: ClientChannel): (params: JsonObject) => void {
  let busy = false;
  const free = (): void => {
    busy = false;
  };
  return (params) => {
    if (busy) return;
    const taken = channel.notify(codec.decodeNotice(method, params));
    if (taken === undefined) return;
    busy = true;
    taken.then(free, free);
  };
}

const failed = (of: Failure): Outcome => ({ kind: 'failed', failure: of });

/** Whoever aborts may say why with a `Refusal`: a timeout does. */
function abortFailure(signal: AbortSignal, sent: Failure['sent']): Failure {
  const reason: unknown = signal.reason;
  return reason instanceof Refusal ? { ...reason.failure, sent } : failure('cancelled', { sent });
}

const tooLarge = (bytes: number, maxLineBytes: number): Failure =>
  failure('result-too-large', {
    sent: 'yes',
    message: `The server's answer has ${bytes} bytes; the gateway holds at most ${maxLineBytes} bytes of one answer.`,
  });

const notReading = (): Failure =>
  failure('overloaded', { message: 'The server does not read its requests fast enough. Try again shortly.' });
