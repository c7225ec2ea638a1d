/** A server over HTTP as an `Upstream`: every call one POST, and what its answer becomes. */

import type { Call, SendOptions } from '../../model/call.ts';
import { failure, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { Operation } from '../../model/operation.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { ClientCodec, EncodedUpstreamRequest } from '../../protocol/codec.ts';
import type { Upstream } from '../connector.ts';
import { answersFor, capabilitiesOf } from '../questions.ts';
import { reachedAs } from '../reached.ts';
import { abortFailure, GIVEN_UP, invalid } from './exchange-failures.ts';
import { post } from './http-endpoint.ts';
import { HttpExchange } from './http-exchange.ts';
import type { Answer, ExchangeListener, ServerNotification, ServerRequest } from './http-exchange.ts';
import type { HttpSession, StatusError } from './http-session.ts';

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

  const exchange = (operation: Operation, call: Call, options: SendOptions): Promise<Outcome> => {
    if (isLost) return Promise.resolve(failed(LOST));
    if (options.signal.aborted) return Promise.resolve(failed(abortFailure(options.signal, 'no')));
    lastId += 1;
    let encoded: EncodedUpstreamRequest;
    try {
      encoded = encode(codec, call, { id: lastId, operation, options });
    } catch (error) {
      if (error instanceof Refusal) return Promise.resolve(failed(error.failure));
      throw error;
    }
    return new Promise((resolve) => {
      const { traceHeaders } = call;
      new PendingCall({ id: lastId, operation, session, options, lose, resolve }).start(encoded, traceHeaders);
    });
  };

  return {
    era: codec.era,
    revision: codec.revision,
    transport: 'http',
    reached: reachedAs({ revision: codec.revision, transport: 'http' }, session.discovery),
    ended,
    // Not async: on the hot path a promise around a promise costs as much as the scan of the answer.
    send(call, options) {
      const { operation } = call.intent.permit;
      if (operation.kind === 'discover' && codec.era === 'legacy') {
        return Promise.resolve({ kind: 'discovered', discovery: session.discovery });
      }
      if (operation.kind === 'ping' && codec.era === 'modern') return isAlive(exchange(DISCOVER, call, options));
      return exchange(operation, call, options);
    },
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

type RequestParts = { readonly id: number; readonly operation: Operation; readonly options: SendOptions };

function encode(codec: ClientCodec, call: Call, { id, operation, options }: RequestParts): EncodedUpstreamRequest {
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
    ...(codec.era === 'modern' ? { capabilities: capabilitiesOf(call) } : undefined),
    ...(answers === undefined ? undefined : { answers }),
  });
}

type PendingParts = {
  readonly id: number;
  readonly operation: Operation;
  readonly session: HttpSession;
  readonly options: SendOptions;
  readonly lose: () => void;
  readonly resolve: (outcome: Outcome) => void;
};

/** One call while its answer is awaited, and while the rest of its result arrives. */
class PendingCall implements ExchangeListener {
  readonly #parts: PendingParts;
  readonly #exchange: HttpExchange;
  readonly #abort: () => void;
  #hasRest = false;

  constructor(parts: PendingParts) {
    this.#parts = parts;
    const { session, operation } = parts;
    const { clock, maxBufferedBytes } = session.endpoint;
    const whole = operation.kind === 'discover';
    this.#exchange = new HttpExchange({ era: session.codec.era, clock, maxBufferedBytes, whole }, this);
    this.#abort = () => this.#leave();
  }

  start(encoded: EncodedUpstreamRequest, traceHeaders?: readonly string[]): void {
    const { session, options } = this.#parts;
    options.signal.addEventListener('abort', this.#abort);
    const extra = traceHeaders === undefined ? session.headers : [...session.headers, ...traceHeaders];
    post(session.endpoint, { extra, byName: encoded.headers, body: encoded.body }, this.#exchange);
  }

  answered(answer: Answer): void {
    const { id, session, operation } = this.#parts;
    if (answer.kind === 'error') {
      this.#failedWith(answer);
    } else if (answer.id === id) {
      const { rest } = answer.message;
      this.#hasRest = rest !== undefined;
      this.#finish(session.codec.decodeResult(operation, answer.message));
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
    const { id, session, options } = this.#parts;
    // A token that is not this call's would be forwarded under this caller's.
    if (method === 'notifications/progress' && params['progressToken'] !== id) return undefined;
    return options.channel.notify(session.codec.decodeNotice(method, params));
  }

  asked(request: ServerRequest): void {
    if (this.#parts.session.answerRequest(request)) return;
    const message = `The server sent the request ${JSON.stringify(request.method.slice(0, 100))}, which its revision forbids.`;
    this.#finish(failed(invalid(message)));
    this.#exchange.abandon(GIVEN_UP);
  }

  restFinished(): void {
    this.#parts.options.signal.removeEventListener('abort', this.#abort);
  }

  #failedWith({ id: answerId, error }: Extract<Answer, { kind: 'error' }>): void {
    const { id, session, operation } = this.#parts;
    if (this.#isLost(this.#exchange.status, { id: answerId, error })) return;
    if (answerId !== id && answerId !== null) {
      this.#finish(failed(invalid('The server answered a request that it was not asked.')));
    } else {
      this.#finish(failed(session.codec.decodeError(operation, error)));
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
    const { id, session, options } = this.#parts;
    const { sent } = this.#exchange;
    const of = abortFailure(options.signal, sent);
    session.cancelled(id, sent !== 'no');
    this.#hasRest = false;
    this.#finish(failed(of));
    this.#exchange.abandon(new Refusal(of));
  }

  #finish(outcome: Outcome): void {
    // The listener stays while a rest arrives: whoever leaves then must not leave the server writing.
    if (!this.#hasRest) this.restFinished();
    this.#parts.resolve(outcome);
  }
}
