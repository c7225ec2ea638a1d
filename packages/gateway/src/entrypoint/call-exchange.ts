/** The pipeline's view of a running call: where notices go, and whether anyone still waits for the result. */

import type { ClientChannel, LogLevel, Notice } from '../model/outcome.ts';
import type { RequestMeta } from '../model/request.ts';
import type { Exchange } from '../pipeline/pipeline.ts';
import type { NoticeContext, ServerCodec } from '../protocol/codec.ts';
import type { Reply } from './reply.ts';

const NO_META: RequestMeta = { vendor: {} };

/** Exchange and channel in one object. Most calls end before anyone asks for the signal, so it is made when asked for. */
export class CallExchange implements Exchange, ClientChannel {
  /** For what is left of the call: questions to the person take their share of it. */
  timeoutMs: number;
  readonly wantsProgress: boolean;
  readonly logLevel?: LogLevel;
  readonly #reply: Reply | undefined;
  readonly #codec: ServerCodec;
  readonly #meta: RequestMeta;
  #controller: AbortController | undefined;
  #aborted = false;
  #cancelled = false;

  /** Without a reply (a notification, a session's end) notices go nowhere. */
  constructor(timeoutMs: number, codec: ServerCodec, reply?: Reply, meta: RequestMeta = NO_META) {
    this.timeoutMs = timeoutMs;
    this.#codec = codec;
    this.#reply = reply;
    this.#meta = meta;
    this.wantsProgress = meta.progressToken !== undefined;
    if (meta.logLevel !== undefined) this.logLevel = meta.logLevel;
  }

  get channel(): this {
    return this;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Its client has said that it wants no answer any more. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
    this.abort();
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }

  notify(notice: Notice): Promise<void> | undefined {
    if (this.#reply === undefined) return undefined;
    const text = this.#codec.encodeNotice(notice, noticeContext(this.#meta));
    return text === undefined ? undefined : this.#reply.notice(text);
  }
}

const noticeContext = ({ progressToken, logLevel }: RequestMeta): NoticeContext => ({
  ...(progressToken === undefined ? {} : { progressToken }),
  ...(logLevel === undefined ? {} : { logLevel }),
});
