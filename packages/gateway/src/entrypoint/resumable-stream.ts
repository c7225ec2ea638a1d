/**
 * A stream that outlives its connection: each event is remembered under its id, and written to whoever reads it now. A client
 * that lost its connection comes back with the id of the last event that it has had, gets what it missed, and then the rest.
 * The call behind it never notices.
 */

import type { ServerResponse } from 'node:http';

import { failure, failureMessage, Refusal, type Failure } from '../model/failure.ts';
import type { LegacyRevision } from '../model/revision.ts';
import type { EncodedMessage } from '../protocol/codec.ts';
import type { EventStream } from './event-stream.ts';
import { discard } from './response-body.ts';
import { eventsAfter, idAt, type EventData, type StreamLog, type StreamLogs } from './stream-logs.ts';

export type ResumableOptions = {
  readonly logs: StreamLogs;
  readonly log: StreamLog;
  readonly revision: LegacyRevision;
  /** The answer of the call when its result cannot be handed on, as the client's revision writes it. */
  readonly failed: (of: Failure) => string;
};

/** Clients before it stumble over an event without data. */
const isPrimed = (revision: LegacyRevision): boolean => revision >= '2025-11-25';

export class ResumableStream {
  readonly #options: ResumableOptions;
  /** Who reads it now. Undefined: nobody. */
  #live: EventStream | undefined;
  #hasEnded = false;
  readonly #waiting = new Set<() => void>();
  #awayTimer: NodeJS.Timeout | undefined;
  #over: (() => void) | undefined;

  constructor(options: ResumableOptions) {
    this.#options = options;
    options.log.stream = this;
  }

  /** From now on `stream` reads it, after what a client missed that has had `after` events. Whoever read before is cut off. */
  attach(stream: EventStream, response: ServerResponse, after: number): void {
    const { log, logs, revision } = this.#options;
    this.#live?.end();
    clearTimeout(this.#awayTimer);
    this.#awayTimer = undefined;
    this.#live = stream;
    response.once('close', () => this.#left(stream));
    if (isPrimed(revision)) stream.prime(idAt(log, after), logs.limits.retryMs);
    for (const { id, data } of eventsAfter(log, after)) stream.kept(data, id);
    if (this.#hasEnded) stream.end();
  }

  notice(text: string): Promise<void> | undefined {
    const id = this.#keep(text);
    return this.#live?.notice(text, id);
  }

  /** Remembers one message whole, and writes it. One that is larger than what is kept goes to whoever reads it now, or nowhere. */
  async message(message: EncodedMessage): Promise<void> {
    const collected = await collect(message, this.#options.logs.limits.maxBytesPerStream);
    if (collected.kind === 'whole') {
      const id = this.#keep(collected.data);
      await this.#live?.message({ chunks: [collected.data] }, id);
    } else if (collected.kind === 'broken') {
      const text = this.#options.failed(collected.failure);
      const id = this.#keep(text);
      await this.#live?.message({ chunks: [text] }, id);
    } else {
      const id = this.#keep(this.#options.failed(TOO_LARGE));
      if (this.#live === undefined) await discard(collected.message);
      else await this.#live.message(collected.message, id);
    }
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#awayTimer);
    this.#waiting.clear();
    this.#options.logs.ended(this.#options.log);
    this.#live?.end();
    if (this.#live === undefined) this.#over?.();
  }

  /** It has ended, and whoever read it has gone. */
  onOver(tell: () => void): void {
    this.#over = tell;
  }

  get isRead(): boolean {
    return this.#live !== undefined;
  }

  /** Whoever opened it holds a place for it, whether it is read or not. */
  get hasPlace(): boolean {
    return this.#options.log.of === 'session';
  }

  /** Nobody can come back to it; whoever reads it now may go on. */
  replaced(): void {
    this.#options.logs.ended(this.#options.log);
  }

  /** Calls `tell` when its client has been away for too long. The returned function ends the wait. */
  onAway(tell: () => void): () => void {
    this.#waiting.add(tell);
    if (this.#live === undefined) this.#wait();
    return () => void this.#waiting.delete(tell);
  }

  #keep(data: EventData): string {
    return this.#options.logs.add(this.#options.log, data);
  }

  #left(stream: EventStream): void {
    if (this.#live !== stream) return;
    this.#live = undefined;
    if (this.#hasEnded) this.#over?.();
    if (this.#waiting.size > 0) this.#wait();
  }

  #wait(): void {
    this.#awayTimer ??= setTimeout(() => {
      this.#awayTimer = undefined;
      for (const tell of this.#waiting) tell();
    }, this.#options.logs.limits.awayMs).unref();
  }
}

const TOO_LARGE = failure('result-too-large', {
  sent: 'yes',
  message: 'The result was larger than what is kept for a client that lost its connection. Call again.',
});

type Collected =
  | { readonly kind: 'whole'; readonly data: Buffer }
  | { readonly kind: 'too-large'; readonly message: EncodedMessage }
  | { readonly kind: 'broken'; readonly failure: Failure };

/** An event reaches its reader whole or not at all, so nothing is lost by waiting for its end. */
async function collect({ chunks, rest }: EncodedMessage, maxBytes: number): Promise<Collected> {
  const pieces: Uint8Array[] = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
  let bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const reader = rest?.[Symbol.asyncIterator]();
  try {
    for (let next = await reader?.next(); next?.done === false; next = await reader?.next()) {
      // A view into a buffer that its reader uses again.
      pieces.push(Uint8Array.from(next.value));
      bytes += next.value.length;
      if (bytes > maxBytes) break;
    }
  } catch (error) {
    const of = error instanceof Refusal ? error.failure : failure('upstream-closed', { sent: 'yes', cause: error });
    return { kind: 'broken', failure: { ...of, message: failureMessage(of) } };
  }
  if (bytes <= maxBytes) return { kind: 'whole', data: Buffer.concat(pieces) };
  const left = reader === undefined ? undefined : { [Symbol.asyncIterator]: () => reader };
  return { kind: 'too-large', message: left === undefined ? { chunks: pieces } : { chunks: pieces, rest: left } };
}
