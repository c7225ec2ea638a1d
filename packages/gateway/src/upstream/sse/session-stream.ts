/**
 * The stream of an HTTP+SSE session (MCP 2024-11-05, basic/transports): one GET that stays open, whose first event names
 * where messages are posted to and whose others are the server's messages. Of an event that grows beyond the bound only its
 * first and last bytes are kept, to tell whose answer it was.
 */

import type { ExchangeController, ExchangeHandler, ResponseHeaders } from '../../egress/egress.ts';
import type { Failure } from '../../model/failure.ts';
import { createSseDecoder } from '../../protocol/sse.ts';
import type { SseDecoder } from '../../protocol/sse.ts';
import {
  connectionFailure,
  endedEarly,
  GIVEN_UP,
  invalid,
  mediaType,
  withoutMessage,
} from '../http/exchange-failures.ts';
import { createLineSplitter } from '../stdio/line-splitter.ts';
import type { LineSplitter, OversizedLine } from '../stdio/line-splitter.ts';

/** Hears of the stream. After `ended`, which is called once unless the stream is closed by us, nothing follows. */
export interface SessionStreamListener {
  /** The data of the first event, as it came. */
  endpoint(uri: string): void;
  message(bytes: Uint8Array): void;
  oversized(message: OversizedLine): void;
  ended(why: Failure): void;
  /** Anything at all came, a comment perhaps. */
  heard(): void;
}

export type SessionStreamOptions = {
  /** Of one message. */
  readonly maxMessageBytes: number;
  /** How much of a longer one is kept at either end. */
  readonly edgeBytes: number;
};

const MAX_ENDPOINT_BYTES = 4096;
const LINE_FEED = 0x0a;
const END_OF_LINE = Uint8Array.of(LINE_FEED);
/** A line break inside an event is white space between two tokens of JSON. */
const SPACE = Uint8Array.of(0x20);

export class SessionStream implements ExchangeHandler {
  readonly #listener: SessionStreamListener;
  readonly #options: SessionStreamOptions;
  #controller: ExchangeController | undefined;
  #decoder: SseDecoder | undefined;
  #isOver = false;
  /** Until the endpoint is known. */
  #endpoint: Buffer | undefined = Buffer.alloc(0);
  #messages: LineSplitter;

  constructor(listener: SessionStreamListener, options: SessionStreamOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#messages = this.#startMessages();
  }

  /** Nothing more is wanted of it; the listener hears no more. */
  close(): void {
    this.#isOver = true;
    this.#controller?.abort(GIVEN_UP);
  }

  onRequestStart(controller: ExchangeController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(GIVEN_UP);
  }

  onResponseStart(_controller: ExchangeController, status: number, headers: ResponseHeaders): void {
    if (status < 200 || this.#isOver) return;
    const coding = headers['content-encoding'];
    if (status >= 300 || mediaType(headers) !== 'text/event-stream') this.#end(withoutMessage(status, headers));
    else if (coding !== undefined && coding !== 'identity') {
      this.#end(invalid('The server compressed its event stream although it was asked not to.'));
    } else this.#decoder = this.#decode();
  }

  onResponseData(_controller: ExchangeController, piece: Uint8Array): void {
    if (this.#isOver) return;
    this.#listener.heard();
    this.#decoder?.push(piece);
  }

  onResponseEnd(): void {
    this.#end(endedEarly());
  }

  onResponseError(_controller: ExchangeController, error: Error): void {
    this.#end(connectionFailure(error, this.#decoder === undefined ? 'no' : 'yes'));
  }

  #end(why: Failure): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.ended(why);
  }

  #decode(): SseDecoder {
    let isEndpoint = false;
    return createSseDecoder({
      data: (piece, type) => {
        if (this.#isOver) return;
        isEndpoint = type === 'endpoint';
        if (isEndpoint) this.#takeEndpoint(piece);
        else if (type === 'message') this.#messages.push(isLineBreak(piece) ? SPACE : piece);
      },
      end: ({ type }) => {
        if (this.#isOver) return;
        if (type === 'endpoint') this.#endEndpoint(isEndpoint);
        else if (type === 'message') this.#endMessage();
        // What called itself something else behind its data is no message.
        else this.#messages = this.#startMessages();
      },
    });
  }

  #startMessages(): LineSplitter {
    const { maxMessageBytes, edgeBytes } = this.#options;
    return createLineSplitter({
      maxLineBytes: maxMessageBytes,
      edgeBytes,
      onLine: (line) => this.#listener.message(line),
      onOversized: (line) => this.#listener.oversized(line),
    });
  }

  #takeEndpoint(piece: Uint8Array): void {
    if (this.#endpoint === undefined) return;
    this.#endpoint = Buffer.concat([this.#endpoint, piece]);
    if (this.#endpoint.length > MAX_ENDPOINT_BYTES) {
      this.#end(invalid(`The server named an endpoint of more than ${MAX_ENDPOINT_BYTES} bytes.`));
    }
  }

  /** A second one is let be: a session has one address. */
  #endEndpoint(isWhole: boolean): void {
    const endpoint = this.#endpoint;
    this.#endpoint = undefined;
    if (endpoint !== undefined && isWhole) this.#listener.endpoint(endpoint.toString('utf8'));
  }

  #endMessage(): void {
    if (this.#endpoint === undefined) this.#messages.push(END_OF_LINE);
    else this.#end(invalid('The first event of the stream does not name the endpoint, as that of HTTP+SSE must.'));
  }
}

const isLineBreak = (piece: Uint8Array): boolean => piece.length === 1 && piece[0] === LINE_FEED;
