/**
 * The GET stream of a session with a legacy server (2025-11-25, basic/transports, Listening for Messages from the Server).
 * A server may close it whenever it likes and wants to be asked again: that is done with a pause, and with the id of the last
 * event, so that a server which keeps events leaves none out.
 */

import type { ExchangeHandler } from '../../egress/egress.ts';
import { refuse, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import { decodeChange } from '../../protocol/changes.ts';
import { createSseDecoder } from '../../protocol/sse.ts';
import type { FeedListener } from '../connector.ts';
import { GIVEN_UP } from './exchange-failures.ts';
import { request, wholeExchange } from './http-endpoint.ts';
import type { HttpSession } from './http-session.ts';

export type SessionStreamParts = {
  readonly session: HttpSession;
  readonly listener: FeedListener;
  /** The server does not know the session any more, or does not offer the stream any more. */
  readonly over: (wasLost: boolean) => void;
};

/** A server that says nothing may not even send headers. One that offers no stream says so at once. */
const SILENT_MS = 2000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A stream that held this long broke off for a new reason. */
const STEADY_MS = 30_000;

/** Of credentials, of another stream that is not noticed to be gone yet, of a server that is busy. */
const NOT_NOW = new Set([401, 403, 409, 429]);

type Opening = {
  readonly opened: () => void;
  /** It is not there; perhaps because the session is not. Also heard behind `opened`, of a server that was slow to say so. */
  readonly absent: (wasLost: boolean) => void;
  readonly failed: (of: Failure) => void;
};

export class SessionStream {
  readonly #parts: SessionStreamParts;
  #closed = false;
  #abandon: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #askedPauseMs: number | undefined;
  #lastEventId: string | undefined;

  constructor(parts: SessionStreamParts) {
    this.#parts = parts;
  }

  /** False when the server offers none. @throws Refusal when it could not be asked. */
  open(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#connect({
        opened: () => resolve(true),
        // 405 is what MCP asks for; others say 404 or 400 of a stream that they do not have. Calls find out if it was lost.
        absent: () => resolve(false),
        failed: (of) => reject(new Refusal(of)),
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancelPause?.();
    this.#abandon?.();
  }

  #connect(told: Opening): void {
    const { session, listener } = this.#parts;
    const { endpoint, codec } = session;
    const startedMs = endpoint.clock.nowMs();
    let isOpen = false;
    const open = (): void => {
      cancelSilence();
      if (isOpen) return;
      isOpen = true;
      told.opened();
    };
    const exchange = wholeExchange(endpoint, codec.era, {
      // No answer belongs on this stream. It says nothing about the session: the stream is opened anew.
      answered: ({ kind, ...answer }) => {
        exchange.abandon(GIVEN_UP);
        const error = kind === 'error' && 'error' in answer ? { id: answer.id, error: answer.error } : undefined;
        ended(refuse('upstream-invalid', { sent: 'yes' }).failure, error);
      },
      failed: (of) => ended(of, undefined),
      notified: ({ method, params }) => {
        const change = decodeChange(method, params);
        if (change !== undefined && !this.#closed) listener.hear(change);
        return undefined;
      },
      asked: (asked) => void session.answerRequest(asked),
      restFinished: () => undefined,
    });
    const ended = (of: Failure, error: Parameters<HttpSession['isLost']>[1]): void => {
      cancelSilence();
      if (this.#closed) return;
      const { status } = exchange;
      if (status >= 400 && status < 500 && !NOT_NOW.has(status)) {
        told.absent(session.isLost(status, error));
      } else if (isOpen) {
        this.#again(endpoint.clock.nowMs() - startedMs > STEADY_MS);
      } else {
        told.failed(of);
      }
    };
    const cancelSilence = endpoint.clock.after(SILENT_MS, open);
    this.#abandon = () => exchange.abandon(GIVEN_UP);
    const lastEventId = this.#lastEventId === undefined ? [] : ['last-event-id', this.#lastEventId];
    const revision = codec.revision === '2025-03-26' ? [] : ['mcp-protocol-version', codec.revision];
    const headers = [...getHeaders(endpoint.headers), ...session.headers, ...revision, ...lastEventId];
    request(endpoint, { method: 'GET', headers }, this.#watched(exchange, open));
  }

  /** The same exchange; the positions on the stream and its opening are seen. */
  #watched(exchange: ExchangeHandler, open: () => void): ExchangeHandler {
    const positions = createSseDecoder({
      data: () => undefined,
      end: ({ id }) => {
        if (id !== undefined && /^[\x20-\x7e]{1,1024}$/.test(id)) this.#lastEventId = id;
      },
      retry: (ms) => {
        this.#askedPauseMs = ms;
      },
    });
    return {
      onRequestStart: (controller) => exchange.onRequestStart(controller),
      onResponseStart: (controller, status, headers) => {
        exchange.onResponseStart(controller, status, headers);
        if (status >= 200 && status < 300) open();
      },
      onResponseData: (controller, piece) => {
        positions.push(piece);
        exchange.onResponseData(controller, piece);
      },
      onResponseEnd: (controller) => exchange.onResponseEnd(controller),
      onResponseError: (controller, error) => exchange.onResponseError(controller, error),
    };
  }

  #again(isFresh: boolean): void {
    const { session, listener, over } = this.#parts;
    this.#pauseMs = isFresh ? FIRST_PAUSE_MS : Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    const pauseMs = Math.min(Math.max(this.#askedPauseMs ?? this.#pauseMs, 100), LONGEST_PAUSE_MS);
    this.#cancelPause = session.endpoint.clock.after(pauseMs, () => {
      if (this.#closed) return;
      this.#connect({
        opened: () => listener.missed(),
        absent: over,
        failed: ({ code }) => {
          if (this.#closed) return;
          // It was opened with a credential that has ended since: whoever opens it anew does it with the one of then.
          if (code === 'upstream-refused') over(false);
          else this.#again(false);
        },
      });
    });
  }
}

/** Without what only a POST has. */
function getHeaders(headers: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2);
    if (name === 'content-type') continue;
    kept.push(name, name === 'accept' ? 'text/event-stream' : value);
  }
  return kept;
}
