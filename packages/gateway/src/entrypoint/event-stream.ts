/**
 * A response that is a stream of server-sent events (WHATWG HTML, 9.2): headers, keep-alive comments, back-pressure, and
 * the end of a client that does not read. Whole events only: nothing interleaves with a result that is being piped.
 */

import type { ServerResponse } from 'node:http';

import type { EncodedMessage } from '../protocol/codec.ts';
import { encodeSseEvent, ssePriming, sseText } from '../protocol/sse-encode.ts';
import type { EntrypointLimits } from './limits.ts';
import { pipe, whenDrained } from './response-body.ts';

export type StreamLimits = Pick<EntrypointLimits, 'keepAliveMs' | 'writeTimeoutMs' | 'maxPendingNoticeBytes'>;

const COMMENT = ':\n\n';

const HEADERS = [
  'Content-Type',
  'text/event-stream',
  'Cache-Control',
  'no-store',
  // Proxies that buffer would hold back every event until the end.
  'X-Accel-Buffering',
  'no',
] as const;

export class EventStream {
  readonly #response: ServerResponse;
  readonly #limits: StreamLimits;
  readonly #timer: NodeJS.Timeout;
  readonly #type: string;
  #piping = false;
  #draining: Promise<void> | undefined;
  #waiting: { readonly text: string; readonly id: string | undefined }[] = [];
  #waitingBytes = 0;

  /**
   * Sends the headers, and a first comment so that they leave at once. `extra` alternates names and values. `type` is
   * written with each event: without it they are messages all the same, but not every client knows.
   */
  constructor(response: ServerResponse, extra: readonly string[], limits: StreamLimits, type?: string) {
    this.#type = type === undefined ? '' : `event: ${type}\n`;
    this.#response = response;
    this.#limits = limits;
    response.writeHead(200, [...HEADERS, ...extra]);
    response.write(COMMENT);
    this.#timer = setInterval(() => this.#keepAlive(), limits.keepAliveMs);
    this.#timer.unref();
    response.once('close', () => clearInterval(this.#timer));
  }

  /**
   * Writes one message that can be spared when the client is far behind: beyond the bound it is dropped. Returns a
   * promise when the socket is full; who waits for it loses nothing.
   */
  notice(text: string, id?: string): Promise<void> | undefined {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) return undefined;
    const pending = response.writableLength + this.#waitingBytes;
    if (pending > this.#limits.maxPendingNoticeBytes) return this.#drained();
    if (this.#piping) {
      this.#waiting.push({ text, id });
      this.#waitingBytes += text.length;
      return undefined;
    }
    return response.write(this.#type + sseText(text, id)) ? undefined : this.#drained();
  }

  /** Writes one message, whole, with back-pressure. Notices that come meanwhile follow it. */
  async message(message: EncodedMessage, id?: string): Promise<void> {
    const response = this.#response;
    this.#piping = true;
    const event = encodeSseEvent(message, id);
    const named = this.#type === '' ? event : { ...event, chunks: [this.#type, ...event.chunks] };
    await pipe(response, named, this.#limits.writeTimeoutMs);
    this.#piping = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (response.destroyed) return;
    for (const { text, id: noticeId } of waiting) response.write(this.#type + sseText(text, noticeId));
  }

  /** Says where its client stands, before anything else. */
  prime(id: string, retryMs: number): void {
    this.#response.write(ssePriming(id, retryMs));
  }

  /** What was kept for a client that comes back: bounded where it was kept, so it is written at once. */
  kept(data: string | Uint8Array, id: string): void {
    for (const chunk of encodeSseEvent({ chunks: [data] }, id).chunks) this.#response.write(chunk);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#response.end();
  }

  /** One promise for everyone who waits for the same client. */
  #drained(): Promise<void> {
    this.#draining ??= whenDrained(this.#response, this.#limits.writeTimeoutMs).finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  /** A client that has not taken what was written is cut off by `whenDrained`; one that is silent gets a comment. */
  #keepAlive(): void {
    if (this.#piping) return;
    if (this.#response.writableNeedDrain) void this.#drained();
    else this.#response.write(COMMENT);
  }
}
