/**
 * One HTTP response to a POST. Whether it is JSON or an event stream is decided as late as possible: JSON when the result
 * comes first, a stream as soon as there is a notice to show or nothing has happened for a while.
 */

import type { ServerResponse } from 'node:http';

import type { EncodedAnswer, EncodedMessage } from '../protocol/codec.ts';
import { EventStream } from './event-stream.ts';
import type { EntrypointLimits } from './limits.ts';
import { ResumableStream } from './resumable-stream.ts';
import { discard } from './response-body.ts';
import { writeAnswer } from './write-answer.ts';

export type ReplyOptions = {
  /** False for answers whose headers are known only at the end: `initialize` carries the session id. */
  readonly mayStream: boolean;
  /** Names and values in turn, for either form. Read when the response starts. */
  readonly headers: () => readonly string[];
  readonly limits: EntrypointLimits;
  readonly onStreamOpened: () => void;
  /** For a client that may come back to the stream; undefined when there is no room for it. */
  readonly resumable?: () => ResumableStream | undefined;
};

export class Reply {
  readonly #response: ServerResponse;
  readonly #options: ReplyOptions;
  readonly #quietTimer: NodeJS.Timeout | undefined;
  #stream: EventStream | ResumableStream | undefined;

  constructor(response: ServerResponse, options: ReplyOptions) {
    this.#response = response;
    this.#options = options;
    if (options.mayStream) this.#quietTimer = setTimeout(() => this.#open(), options.limits.quietMs);
  }

  get streaming(): boolean {
    return this.#stream !== undefined;
  }

  /** Shows a notice at once. A promise when the client reads more slowly than notices come. */
  notice(text: string): Promise<void> | undefined {
    return this.#open()?.notice(text);
  }

  /** Sends a request of ours to the client, which is never dropped. False when there is nobody to hear it. */
  async ask(text: string): Promise<boolean> {
    const stream = this.#isGone ? undefined : this.#open();
    if (stream === undefined) return false;
    await stream.message({ chunks: [text] });
    return !this.#isGone;
  }

  /** Tells when the client has left and will not be back to answer what was asked. The returned function ends the telling. */
  whenGone(tell: () => void): () => void {
    if (this.#stream instanceof ResumableStream) return this.#stream.onAway(tell);
    this.#response.once('close', tell);
    return () => void this.#response.off('close', tell);
  }

  /** Writes the answer and ends the response. Resolves when it was written or nobody is there to read it. */
  async finish(answer: EncodedAnswer, extraHeaders: readonly string[] = []): Promise<void> {
    clearTimeout(this.#quietTimer);
    if (this.#isGone) return discard(answer.body);
    if (this.#stream === undefined) {
      return writeAnswer(this.#response, answer, {
        headers: [...this.#options.headers(), ...extraHeaders],
        writeTimeoutMs: this.#options.limits.writeTimeoutMs,
      });
    }
    await this.#stream.message(answer.body);
    this.#stream.end();
  }

  /** One of several messages of a batch on an open stream; `finishStream` ends it. */
  message(message: EncodedMessage): Promise<void> {
    if (this.#stream === undefined || this.#isGone) return discard(message);
    return this.#stream.message(message);
  }

  finishStream(): void {
    this.#stream?.end();
  }

  /** For a response that will have no answer. */
  cancel(): void {
    clearTimeout(this.#quietTimer);
  }

  /** Nobody hears it, now or later. */
  get #isGone(): boolean {
    return this.#response.destroyed && !(this.#stream instanceof ResumableStream);
  }

  #open(): EventStream | ResumableStream | undefined {
    if (this.#stream !== undefined) return this.#stream;
    if (!this.#options.mayStream || this.#response.destroyed || this.#response.headersSent) return undefined;
    clearTimeout(this.#quietTimer);
    const stream = new EventStream(this.#response, this.#options.headers(), this.#options.limits);
    const resumable = this.#options.resumable?.();
    resumable?.attach(stream, this.#response, 0);
    this.#stream = resumable ?? stream;
    this.#options.onStreamOpened();
    return this.#stream;
  }
}

/** What a call needs of where it is answered: its own response, or the stream of an HTTP+SSE session. */
export type CallReply = Pick<Reply, 'notice' | 'ask' | 'whenGone'>;
