/** The pipeline's view of a running call: where notices go, and whether anyone still waits for the result. */

import type { JsonObject } from '../model/json.ts';
import type { LogLevel } from '../model/log-level.ts';
import type { ClientChannel, Notice } from '../model/outcome.ts';
import type { RequestMeta } from '../model/request.ts';
import type { Exchange } from '../pipeline/pipeline.ts';
import type { NoticeContext, ServerCodec } from '../protocol/codec.ts';
import type { CallReply } from './reply.ts';

const NO_META: RequestMeta = { vendor: {} };

/** Exchange and channel in one object. Most calls end before anyone asks for the signal, so it is made when asked for. */
export class CallExchange implements Exchange, ClientChannel {
  /** For what is left of the call: questions to the person take their share of it. */
  timeoutMs: number;
  readonly wantsProgress: boolean;
  readonly logLevel?: LogLevel;
  readonly #reply: CallReply | undefined;
  readonly #codec: ServerCodec;
  readonly #meta: RequestMeta;
  #controller: AbortController | undefined;
  #aborted = false;
  #cancelled = false;
  #progress = Number.NEGATIVE_INFINITY;

  /** Without a reply (a notification, a session's end) notices go nowhere. */
  constructor(timeoutMs: number, codec: ServerCodec, reply?: CallReply, meta: RequestMeta = NO_META) {
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
    if (this.#reply === undefined || (notice.kind === 'progress' && !this.#advances(notice.params))) return undefined;
    const text = this.#codec.encodeNotice(notice, noticeContext(this.#meta));
    return text === undefined ? undefined : this.#reply.notice(text);
  }

  /**
   * Each progress is more than the one before (MCP, basic/utilities/progress), also where the server begins anew: a modern
   * one that was answered is called a second time, and its client waits for one call.
   */
  #advances({ progress }: JsonObject): boolean {
    if (typeof progress !== 'number' || progress <= this.#progress) return false;
    this.#progress = progress;
    return true;
  }
}

const noticeContext = ({ progressToken, logLevel }: RequestMeta): NoticeContext => ({
  ...(progressToken === undefined ? {} : { progressToken }),
  ...(logLevel === undefined ? {} : { logLevel }),
});
