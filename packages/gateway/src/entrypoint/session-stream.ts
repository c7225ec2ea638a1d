/**
 * A stream that stays open for what concerns no single request. Everything that is told outside of a call is written here,
 * whatever kind of stream it is: `send` is the one place where a message gets its place on the stream.
 */

import type { Principal } from '../model/principal.ts';
import type { EndpointArrival } from './arrival.ts';
import { commonHeaders } from './arrival.ts';
import { EventStream } from './event-stream.ts';

export type SessionStreamOptions = {
  /** Then it ends by itself. */
  readonly forMs: number;
  /** Its last message, when we end it and not the client. */
  readonly lastWords?: string;
  /** However it ended; once. */
  readonly onClose: () => void;
};

export class SessionStream {
  readonly #stream: EventStream;
  readonly #lastWords: string | undefined;
  #isOver = false;

  /** Opens it on the response of `arrival`, and counts it until it closes. */
  constructor(arrival: EndpointArrival, { forMs, lastWords, onClose }: SessionStreamOptions) {
    const { instruments, limits, openStreams } = arrival.parts;
    this.#stream = new EventStream(arrival.response, commonHeaders(arrival), limits);
    this.#lastWords = lastWords;
    const end = (): void => this.end();
    const timer = setTimeout(end, forMs);
    timer.unref();
    instruments.streamOpened();
    openStreams.add(end);
    arrival.response.once('close', () => {
      this.#isOver = true;
      clearTimeout(timer);
      openStreams.delete(end);
      instruments.streamClosed();
      onClose();
    });
  }

  /** One JSON-RPC message. A promise while the client has not taken what was written: wait for it before the next. */
  send(text: string): Promise<void> | undefined {
    return this.#isOver ? undefined : this.#stream.notice(text);
  }

  /** In an orderly way. Idempotent. */
  end(): void {
    if (this.#isOver) return;
    if (this.#lastWords !== undefined) void this.#stream.notice(this.#lastWords);
    this.#isOver = true;
    this.#stream.end();
  }
}

/** What a legacy stream is told of without asking: every list. */
export const EVERY_LIST = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

const MAX_TIMER_MS = 2 ** 31 - 1;

/** How long a stream may stay open: it outlives neither its session nor the credentials that opened it. */
export function lifetimeMs(nowMs: number, { credential, workload }: Principal, sessionUntilMs = Infinity): number {
  const ofCaller = Math.min(credential.expiresAtMs ?? Infinity, workload?.expiresAtMs ?? Infinity);
  return Math.max(1, Math.min(sessionUntilMs - nowMs, ofCaller - nowMs, MAX_TIMER_MS));
}
