/**
 * A stream that stays open for what concerns no single request. Everything that is told outside of a call is written here,
 * whatever kind of stream it is: `send` is the one place where a message gets its place on the stream.
 */

import type { Principal } from '../model/principal.ts';
import type { EndpointArrival } from './arrival.ts';
import { commonHeaders } from './arrival.ts';
import { EventStream } from './event-stream.ts';
import type { ResumableStream } from './resumable-stream.ts';

export type SessionStreamOptions = {
  /** Then it ends by itself. */
  readonly forMs: number;
  /** Its last message, when we end it and not the client. */
  readonly lastWords?: string;
  /** For a client that may come back to it: it goes on for a while when its connection is lost. */
  readonly resumable?: ResumableStream | undefined;
  /** However it ended; once. */
  readonly onClose: () => void;
};

export class SessionStream {
  readonly #stream: EventStream | ResumableStream;
  readonly #resumable: ResumableStream | undefined;
  readonly #lastWords: string | undefined;
  #isOver = false;

  /** Opens it on the response of `arrival`, and counts it until it closes. */
  constructor(arrival: EndpointArrival, { forMs, lastWords, resumable, onClose }: SessionStreamOptions) {
    const { instruments, limits, openStreams } = arrival.parts;
    const { response } = arrival;
    const connection = new EventStream(response, commonHeaders(arrival), limits);
    resumable?.attach(connection, response, 0);
    this.#resumable = resumable;
    this.#stream = resumable ?? connection;
    this.#lastWords = lastWords;
    const end = (): void => this.end();
    const timer = setTimeout(end, forMs);
    timer.unref();
    instruments.streamOpened();
    openStreams.add(end);
    const over = (): void => {
      this.#isOver = true;
      clearTimeout(timer);
      openStreams.delete(end);
      onClose();
    };
    response.once('close', () => instruments.streamClosed());
    if (resumable === undefined) response.once('close', over);
    else {
      resumable.onOver(once(over));
      resumable.onAway(end);
    }
  }

  /** Its client has lost it, and may come back. */
  get isAway(): boolean {
    return this.#resumable?.isRead === false;
  }

  /** Another one of its session has taken its place. */
  replaced(): void {
    this.#resumable?.replaced();
    if (this.isAway) this.end();
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

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}

/** What a legacy stream is told of without asking: every list. */
export const EVERY_LIST = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

const MAX_TIMER_MS = 2 ** 31 - 1;

/** How long a stream may stay open: it outlives neither its session nor the credentials that opened it. */
export function lifetimeMs(nowMs: number, { credential, workload }: Principal, sessionUntilMs = Infinity): number {
  const ofCaller = Math.min(credential.expiresAtMs ?? Infinity, workload?.expiresAtMs ?? Infinity);
  return Math.max(1, Math.min(sessionUntilMs - nowMs, ofCaller - nowMs, MAX_TIMER_MS));
}
