/**
 * One POST and its answer: JSON or an event stream, read as it comes, never held longer than it takes to tell what it is.
 * Callbacks and no promise, because every call over HTTP passes here.
 */

import type { ExchangeController, ExchangeHandler, ResponseHeaders } from '../../egress/egress.ts';
import { failure, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { Era } from '../../model/revision.ts';
import type { UpstreamAnswer } from '../../protocol/codec.ts';
import { scanEnvelope } from '../../protocol/envelope.ts';
import type { Envelope } from '../../protocol/envelope.ts';
import { createMessageHead, HEAD_WINDOW_BYTES } from '../../protocol/message-head.ts';
import type { HeadScan, MessageHead } from '../../protocol/message-head.ts';
import { createSseDecoder } from '../../protocol/sse.ts';
import type { SseDecoder } from '../../protocol/sse.ts';
import { readUpstreamAnswer } from '../../protocol/upstream-answer.ts';
import type { Clock } from '../clock.ts';
import {
  connectionFailure,
  endedEarly,
  GIVEN_UP,
  invalid,
  mediaType,
  NOT_NOW,
  tooLarge,
  withoutMessage,
} from './exchange-failures.ts';
import type { StreamResumption } from './stream-resumption.ts';
import { StreamedRest } from './streamed-rest.ts';

export type Answer = Extract<UpstreamAnswer, { kind: 'response' | 'error' }>;
export type ServerRequest = Extract<UpstreamAnswer, { kind: 'request' }>;
export type ServerNotification = Extract<UpstreamAnswer, { kind: 'notification' }>;

/** Hears of an exchange. Exactly one of `answered` and `failed` is called, once, unless the exchange is abandoned. */
export interface ExchangeListener {
  answered(answer: Answer, exchange: HttpExchange): void;
  failed(failure: Failure, exchange: HttpExchange): void;
  /** A promise holds the stream until it settles. */
  notified(notification: ServerNotification): Promise<void> | undefined;
  /** The server asks something back (legacy only). */
  asked(request: ServerRequest, exchange: HttpExchange): void;
  /** The rest of a result that `answered` handed on is over, one way or the other. */
  restFinished(): void;
}

export type ExchangeOptions = {
  readonly era: Era;
  /** How much of a message may be held. */
  readonly maxBufferedBytes: number;
  /** A result is handed on only when it has arrived whole. */
  readonly whole: boolean;
  readonly clock: Clock;
  /** Where a stream that was lost before its answer can be gone on with. */
  readonly resumption?: StreamResumption | undefined;
};

/** What an unwanted body may cost before the connection is given up instead of kept alive. */
const MAX_DROPPED_BYTES = HEAD_WINDOW_BYTES;
/** How long a server may keep a stream open behind its answer. */
const LINGER_MS = 1000;

const NO_HEADERS: ResponseHeaders = {};
const NOTHING = new Uint8Array(0);

export class HttpExchange implements ExchangeHandler {
  /** 0 until the server answered. */
  status = 0;
  headers: ResponseHeaders = NO_HEADERS;
  readonly #options: ExchangeOptions;
  readonly #listener: ExchangeListener;
  #controller: ExchangeController | undefined;
  #mode: 'waiting' | 'json' | 'events' | 'resuming' | 'dropped' = 'waiting';
  #settled = false;
  #givenUp: Error | undefined;
  /** The first piece of a message: nearly always all of it. */
  #first: Uint8Array | undefined;
  #head: MessageHead | undefined;
  #rest: StreamedRest | undefined;
  #events: SseDecoder | undefined;
  #droppedBytes = 0;
  #cancelLinger: (() => void) | undefined;

  constructor(options: ExchangeOptions, listener: ExchangeListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Has the request reached the server? */
  get sent(): Failure['sent'] {
    if (this.status !== 0) return 'yes';
    return this.#controller === undefined ? 'no' : 'maybe';
  }

  /** Nothing of this is wanted any more; the listener hears no more of it, the reader of a rest hears `reason`. */
  abandon(reason: Error): void {
    this.#settled = true;
    this.#givenUp = reason;
    this.#mode = 'dropped';
    this.#options.resumption?.stop();
    this.#rest?.fail(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: ExchangeController): void {
    // Given up while it waited for a connection: it ends here, unsent.
    if (this.#givenUp === undefined) this.#controller = controller;
    else controller.abort(this.#givenUp);
  }

  onResponseStart(_controller: ExchangeController, status: number, headers: ResponseHeaders): void {
    if (status < 200 || this.#settled) return;
    if (this.#mode === 'resuming') return this.#onRest(status, headers);
    this.status = status;
    this.headers = headers;
    const isOk = status < 300;
    const type = mediaType(headers);
    const coding = headers['content-encoding'];
    if (coding !== undefined && coding !== 'identity') {
      this.#fail(invalid('The server compressed its answer although it was asked not to.'));
    } else if (isOk && type === 'text/event-stream') {
      this.#mode = 'events';
      this.#events = this.#createEvents();
    } else if (type === 'application/json' && status !== 401 && status !== 403) {
      this.#mode = 'json';
    } else {
      this.#fail(withoutMessage(status, headers));
    }
  }

  onResponseData(controller: ExchangeController, piece: Uint8Array): void {
    if (this.#mode === 'json') {
      this.#take(piece);
    } else if (this.#mode === 'events') {
      this.#events?.push(piece);
    } else {
      this.#droppedBytes += piece.length;
      if (this.#droppedBytes > MAX_DROPPED_BYTES) controller.abort(GIVEN_UP);
    }
  }

  onResponseEnd(): void {
    this.#cancelLinger?.();
    if (this.#goesOn()) return;
    if (this.#mode === 'json') this.#endMessage();
    else if (this.#mode === 'events' && this.#events?.finish() === true) this.#breakOff(endedEarly());
    if (!this.#settled) this.#fail(endedEarly());
  }

  onResponseError(_controller: ExchangeController, error: Error): void {
    this.#cancelLinger?.();
    if (this.#givenUp === undefined && this.#goesOn()) return;
    this.#breakOff(connectionFailure(error, this.sent));
  }

  /** The stream ended before the answer, or could not be gone on with yet: it is asked for once more. */
  #goesOn(): boolean {
    const { resumption } = this.#options;
    const isOpen = this.#mode === 'events' || this.#mode === 'resuming';
    // Of a result that is handed on already, the rest cannot be told from its beginning.
    if (resumption === undefined || !isOpen || this.#settled || this.#rest !== undefined) return false;
    if (!resumption.goOn(this.#events?.lastId, this)) return false;
    this.#mode = 'resuming';
    this.#events = undefined;
    this.#controller = undefined;
    this.#resetMessage();
    return true;
  }

  /** The answer to that. The status that counts stays that of the request itself. */
  #onRest(status: number, headers: ResponseHeaders): void {
    if (status === 200 && mediaType(headers) === 'text/event-stream') {
      this.#mode = 'events';
      this.#events = this.#createEvents();
    } else if (!NOT_NOW.has(status)) {
      this.#failAndEnd(endedEarly());
    }
  }

  /** No more will come: told to the listener, or to the reader of a rest if the answer was handed on before. */
  #breakOff(of: Failure): void {
    this.#rest?.fail(new Refusal(of));
    this.#fail(of);
  }

  #fail(of: Failure): void {
    this.#mode = 'dropped';
    if (this.#settled) return;
    this.#settled = true;
    this.#listener.failed(of, this);
  }

  #failAndEnd(of: Failure): void {
    this.#fail(of);
    this.#controller?.abort(GIVEN_UP);
  }

  #createEvents(): SseDecoder {
    return createSseDecoder({
      data: (piece, type) => {
        if (type === 'message' && this.#mode === 'events') this.#take(piece);
      },
      end: ({ type }) => {
        if (this.#mode !== 'events') return;
        if (type === 'message') this.#endMessage();
        else this.#resetMessage();
      },
      retry: (delayMs) => {
        const { resumption } = this.#options;
        if (resumption !== undefined) resumption.retryMs = delayMs;
      },
    });
  }

  #resetMessage(): void {
    this.#first = undefined;
    this.#head = undefined;
  }

  /** A piece of the message that is being read. */
  #take(piece: Uint8Array): void {
    if (this.#rest !== undefined) {
      this.#rest.push(piece);
    } else if (this.#head !== undefined) {
      this.#look(this.#head, this.#head.push(piece));
    } else if (this.#first === undefined && piece.length < HEAD_WINDOW_BYTES) {
      this.#first = piece;
    } else {
      this.#openHead(piece);
    }
  }

  #openHead(piece: Uint8Array): void {
    const { era, maxBufferedBytes, whole } = this.#options;
    const windowBytes = whole ? maxBufferedBytes : HEAD_WINDOW_BYTES;
    const head = createMessageHead({ era, maxBytes: maxBufferedBytes, windowBytes });
    this.#head = head;
    const scan = this.#first === undefined ? undefined : head.push(this.#first);
    this.#look(head, scan === undefined || scan.kind === 'need-more' ? head.push(piece) : scan);
  }

  /** The message has not ended; perhaps it can be told all the same. */
  #look(head: MessageHead, scan: HeadScan): void {
    if (scan.kind === 'need-more') {
      if (head.size > this.#options.maxBufferedBytes) this.#failAndEnd(tooLarge(this.#options.maxBufferedBytes));
    } else if (scan.kind === 'too-large' || (scan.kind === 'found' && this.#options.whole)) {
      this.#failAndEnd(tooLarge(this.#options.maxBufferedBytes));
    } else if (scan.kind === 'not-json-rpc') {
      this.#failAndEnd(withoutMessage(this.status, this.headers, scan.reason));
    } else {
      this.#openRest(head.bytes(), scan.envelope);
    }
  }

  #openRest(head: Uint8Array, envelope: Envelope): void {
    const rest = new StreamedRest({
      pause: () => this.#controller?.pause(),
      resume: () => this.#controller?.resume(),
      abandon: () => this.abandon(GIVEN_UP),
      finished: () => this.#listener.restFinished(),
    });
    this.#rest = rest;
    this.#deliver(readUpstreamAnswer({ era: this.#options.era, head, envelope, rest }));
  }

  #endMessage(): void {
    if (this.#rest !== undefined) {
      this.#rest.end();
      this.#rest = undefined;
      this.#answerIsWhole();
      return;
    }
    const { era } = this.#options;
    const head = this.#head === undefined ? (this.#first ?? NOTHING) : this.#head.bytes();
    this.#resetMessage();
    const scan = scanEnvelope(head, { era, complete: true });
    if (scan.kind === 'found') this.#deliver(readUpstreamAnswer({ era, head, envelope: scan.envelope }));
    else if (scan.kind === 'not-json-rpc') this.#failAndEnd(withoutMessage(this.status, this.headers, scan.reason));
  }

  #deliver(answer: UpstreamAnswer | undefined): void {
    if (answer === undefined) {
      this.#failAndEnd(withoutMessage(this.status, this.headers, 'breaks the rules of JSON-RPC 2.0'));
    } else if (answer.kind === 'response' || answer.kind === 'error') {
      if (answer.kind === 'response' && this.status >= 300) {
        this.#failAndEnd(withoutMessage(this.status, this.headers, 'is a result with an error status'));
        return;
      }
      if (!this.#settled) this.#handOn(answer);
    } else if (this.#mode === 'json') {
      this.#failAndEnd(withoutMessage(this.status, this.headers, `is a ${answer.kind} instead of an answer`));
    } else if (answer.kind === 'request') {
      this.#listener.asked(answer, this);
    } else {
      this.#hold(this.#listener.notified(answer));
    }
  }

  #handOn(answer: Answer): void {
    try {
      this.#listener.answered(answer, this);
      this.#settled = true;
    } catch (error) {
      // A fault of ours; thrown on, it would end the exchange without anybody being told.
      this.#failAndEnd(failure('internal', { sent: 'yes', cause: error }));
    }
    if (this.#rest === undefined) this.#answerIsWhole();
  }

  /** The client behind us is slow: so is the server's stream, until it has taken the notice. */
  #hold(taken: Promise<void> | undefined): void {
    if (taken === undefined) return;
    this.#controller?.pause();
    const goOn = (): void => this.#controller?.resume();
    taken.then(goOn, goOn);
  }

  /** A stream ends with its answer. One that does not is given a moment, so that the connection can be kept. */
  #answerIsWhole(): void {
    if (this.#mode !== 'events') return;
    this.#mode = 'dropped';
    this.#cancelLinger = this.#options.clock.after(LINGER_MS, () => this.#controller?.abort(GIVEN_UP));
  }
}
