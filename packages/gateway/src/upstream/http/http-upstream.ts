/** A server over HTTP as an `Upstream`: every call one POST, and what its answer becomes. */

import { operationOf, type Call, type SendOptions } from '../../model/call.ts';
import { failure, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { Operation } from '../../model/operation.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { EncodedUpstreamRequest, UpstreamOperation } from '../../protocol/codec.ts';
import type { Upstream } from '../connector.ts';
import { AskingCall, type Asked, type AskingHost } from '../asking-call.ts';
import { atVerbosity, goOnAtVerbosity } from '../log-verbosity.ts';
import { answersFor, mayAskDuring } from '../questions.ts';
import { reachedAs } from '../reached.ts';
import { capabilitiesFor, isCalledAsTask } from '../tasks/server-task.ts';
import { abortFailure, GIVEN_UP, invalid } from './exchange-failures.ts';
import { post } from './http-endpoint.ts';
import { openListenFeed, openSessionFeed } from './http-feeds.ts';
import { HttpExchange } from './http-exchange.ts';
import type { Answer, ExchangeListener, ServerNotification, ServerRequest } from './http-exchange.ts';
import type { HttpSession, StatusError } from './http-session.ts';
import { StreamResumption } from './stream-resumption.ts';

const ALIVE: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };
const DISCOVER: Operation = { kind: 'discover' };

const failed = (of: Failure): Outcome => ({ kind: 'failed', failure: of });

/** The router opens a new upstream and asks it once more: nothing of this call was done. */
const LOST = failure('upstream-closed', { message: 'The server has ended the session, or changed its revision.' });

export type HttpUpstreamParts = {
  readonly session: HttpSession;
  /** The server is not what the handshake found any more. */
  readonly lost: () => void;
};

/** `close` tells a legacy server that the session is over; calls in flight go on until their signals end them. */
export function createHttpUpstream({ session, lost }: HttpUpstreamParts): Upstream {
  const { codec } = session;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let lastId = 0;
  let closing: Promise<void> | undefined;
  let isLost = false;

  const lose = (): void => {
    if (isLost) return;
    isLost = true;
    lost();
    end();
  };

  const exchange = (operation: UpstreamOperation, call: Call, options: SendOptions): Promise<Outcome> => {
    if (isLost) return Promise.resolve(failed(LOST));
    if (options.signal.aborted) return Promise.resolve(failed(abortFailure(options.signal, 'no')));
    lastId += 1;
    let encoded: EncodedUpstreamRequest;
    try {
      encoded = encode(session, call, { id: lastId, operation, options });
    } catch (error) {
      if (error instanceof Refusal) return Promise.resolve(failed(error.failure));
      throw error;
    }
    return new PendingCall({ id: lastId, call, session, lose }).start(encoded, options);
  };

  return {
    era: codec.era,
    revision: codec.revision,
    transport: 'http',
    reached: reachedAs({ revision: codec.revision, transport: 'http' }, session.discovery),
    ended,
    // Not async: on the hot path a promise around a promise costs as much as the scan of the answer.
    send(call, options) {
      const operation = operationOf(call);
      if (operation.kind === 'discover' && codec.era === 'legacy') {
        return Promise.resolve({ kind: 'discovered', discovery: session.discovery });
      }
      if (operation.kind === 'ping' && codec.era === 'modern') return isAlive(exchange(DISCOVER, call, options));
      return atVerbosity(session.verbosity, options, () => exchange(operation, call, options));
    },
    openFeed: (listener) =>
      codec.era === 'legacy'
        ? openSessionFeed(session, { listener, lose, ended })
        : openListenFeed(session, listener, ended),
    close() {
      closing ??= (isLost ? Promise.resolve() : session.end()).finally(end);
      return closing;
    },
  };
}

/** The modern revision has no ping: whoever answers server/discover is alive. */
async function isAlive(discovering: Promise<Outcome>): Promise<Outcome> {
  const outcome = await discovering;
  return outcome.kind === 'failed' ? outcome : ALIVE;
}

type RequestParts = { readonly id: number; readonly operation: UpstreamOperation; readonly options: SendOptions };

function encode(session: HttpSession, call: Call, { id, operation, options }: RequestParts): EncodedUpstreamRequest {
  const { codec, discovery } = session;
  const { entry } = call;
  const { upstreamCursor, channel } = options;
  const answers = answersFor(call, options);
  return codec.encodeRequest({
    id,
    operation,
    meta: call.meta,
    client: call.client,
    ...(channel.wantsProgress ? { progressToken: id } : undefined),
    ...(entry.kind === 'tool' ? { inputSchema: entry.inputSchema } : undefined),
    ...(upstreamCursor === undefined ? undefined : { upstreamCursor }),
    ...(codec.era === 'modern'
      ? { capabilities: capabilitiesFor(call, discovery.capabilities) }
      : { asTask: isCalledAsTask(call, codec.revision, discovery.capabilities) }),
    ...(answers === undefined ? undefined : { answers }),
  });
}

type PendingParts = {
  readonly id: number;
  readonly call: Call;
  readonly session: HttpSession;
  readonly lose: () => void;
};

const NOBODY: Pick<SendOptions, 'channel'> = { channel: { wantsProgress: false, notify: () => undefined } };

/** One call while its answer is awaited, and while the rest of its result arrives. */
class PendingCall implements ExchangeListener, AskingHost {
  readonly #parts: PendingParts;
  readonly #operation: UpstreamOperation;
  readonly #exchange: HttpExchange;
  readonly #abort: () => void;
  #hasRest = false;
  /** Whoever waits; undefined while a person is asked and the call is parked. */
  #waiting: { readonly options: SendOptions; readonly resolve: (outcome: Outcome) => void } | undefined;
  /** Once its server has asked something. */
  #asking: AskingCall | undefined;

  constructor(parts: PendingParts) {
    this.#parts = parts;
    const { session, call } = parts;
    this.#operation = operationOf(call);
    const { clock, maxBufferedBytes } = session.endpoint;
    const whole = this.#operation.kind === 'discover' || this.#operation.kind === 'task-step';
    const { askForRest } = session;
    const resumption = askForRest === undefined ? undefined : new StreamResumption(clock, askForRest);
    this.#exchange = new HttpExchange({ era: session.codec.era, clock, maxBufferedBytes, whole, resumption }, this);
    this.#abort = () => this.#leave();
  }

  start(encoded: EncodedUpstreamRequest, options: SendOptions): Promise<Outcome> {
    const { call, session } = this.#parts;
    const outcome = this.attach(options);
    const extra = call.traceHeaders === undefined ? session.headers : [...session.headers, ...call.traceHeaders];
    post(session.endpoint, { extra, byName: encoded.headers, body: encoded.body }, this.#exchange);
    return outcome;
  }

  attach(options: SendOptions): Promise<Outcome> {
    if (this.#asking !== undefined) goOnAtVerbosity(this.#parts.session.verbosity, options);
    return new Promise((resolve) => {
      this.#waiting = { options, resolve };
      options.signal.addEventListener('abort', this.#abort);
      if (options.signal.aborted) this.#leave();
    });
  }

  hand(asked: Asked): void {
    const { resolve } = this.#waiting ?? {};
    this.#detach();
    resolve?.(asked);
  }

  respond(text: string): Promise<boolean> {
    return this.#parts.session.respond(text);
  }

  turn(): Promise<void> {
    return Promise.resolve();
  }

  giveUp(outcome: Outcome): Promise<void> {
    const told = this.#cancelAtServer();
    this.#finish(outcome);
    this.#exchange.abandon(GIVEN_UP);
    return told;
  }

  answered(answer: Answer): void {
    const { id, session } = this.#parts;
    if (answer.kind === 'error') {
      this.#failedWith(answer);
    } else if (answer.id === id) {
      const { rest } = answer.message;
      this.#hasRest = rest !== undefined;
      const isTask = isCalledAsTask(this.#parts.call, session.codec.revision, session.discovery.capabilities);
      this.#finish(session.codec.decodeResult(this.#operation, answer.message, isTask));
    } else {
      this.#finish(failed(invalid('The server answered a request that it was not asked.')));
      this.#exchange.abandon(GIVEN_UP);
    }
  }

  failed(of: Failure): void {
    const { status, sent } = this.#exchange;
    if (sent === 'yes' && of.code === 'upstream-invalid' && this.#isLost(status, undefined)) return;
    this.#finish(failed(of));
  }

  notified({ method, params }: ServerNotification): Promise<void> | undefined {
    const { id, session } = this.#parts;
    if (method === 'notifications/cancelled') {
      this.#asking?.withdrawn(params['requestId']);
      return undefined;
    }
    const { channel } = this.#waiting?.options ?? NOBODY;
    // A token that is not this call's would be forwarded under this caller's.
    if (method === 'notifications/progress' && !(channel.wantsProgress && params['progressToken'] === id))
      return undefined;
    return channel.notify(session.codec.decodeNotice(method, params));
  }

  asked(request: ServerRequest): void {
    if (this.#ask(request) || this.#parts.session.answerRequest(request)) return;
    const message = `The server sent the request ${JSON.stringify(request.method.slice(0, 100))}, which its revision forbids.`;
    this.#finish(failed(invalid(message)));
    this.#exchange.abandon(GIVEN_UP);
  }

  /** On the stream of this call, so it is this client's to answer. */
  #ask(request: ServerRequest): boolean {
    const { call, session } = this.#parts;
    if (session.codec.era !== 'legacy' || !mayAskDuring(call, session.capabilities, request)) return false;
    this.#asking ??= new AskingCall(this, session.endpoint.clock);
    return this.#asking.ask(request);
  }

  restFinished(): void {
    this.#detach();
  }

  #detach(): void {
    this.#waiting?.options.signal.removeEventListener('abort', this.#abort);
    this.#waiting = undefined;
  }

  #failedWith({ id: answerId, error }: Extract<Answer, { kind: 'error' }>): void {
    const { id, session } = this.#parts;
    if (this.#isLost(this.#exchange.status, { id: answerId, error })) return;
    if (answerId !== id && answerId !== null) {
      this.#finish(failed(invalid('The server answered a request that it was not asked.')));
    } else {
      this.#finish(failed(session.codec.decodeError(this.#operation, error)));
    }
  }

  #isLost(status: number, error: StatusError): boolean {
    const { session, lose } = this.#parts;
    if (!session.isLost(status, error)) return false;
    lose();
    this.#finish(failed(LOST));
    return true;
  }

  /** The caller left, or the time is over. */
  #leave(): void {
    const { signal } = this.#waiting?.options ?? {};
    if (signal === undefined) return;
    const of = abortFailure(signal, this.#exchange.sent);
    void this.#cancelAtServer();
    this.#hasRest = false;
    this.#finish(failed(of));
    this.#exchange.abandon(new Refusal(of));
  }

  #cancelAtServer(): Promise<void> {
    const { id, session } = this.#parts;
    return session.cancelled(id, this.#exchange.sent !== 'no');
  }

  #finish(outcome: Outcome): void {
    if (this.#asking?.ended(outcome) === true) return;
    const { resolve } = this.#waiting ?? {};
    // The listener stays while a rest arrives: whoever leaves then must not leave the server writing.
    if (!this.#hasRest) this.#detach();
    resolve?.(outcome);
  }
}
