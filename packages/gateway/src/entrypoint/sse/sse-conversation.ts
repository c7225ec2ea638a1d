/**
 * HTTP+SSE sessions of clients of 2024-11-05 (basic/transports): one stream each, on which everything that the gateway says
 * arrives, and an address that the client posts to. A session lives exactly as long as its stream, in the process that holds
 * it. What concerns a session and no call of it is for `notice`, like what the GET stream of a newer session carries.
 */

import type { ServerResponse } from 'node:http';

import type { ReplicaId } from '../../model/outcome.ts';
import type { Principal, PrincipalKey } from '../../model/principal.ts';
import type { EncodedMessage, ServerCodec } from '../../protocol/codec.ts';
import type { Listening } from '../../pipeline/listening.ts';
import type { Sealer } from '../../seal/sealer.ts';
import type { EventStream } from '../event-stream.ts';
import type { EntrypointLimits } from '../limits.ts';
import { discard, whenDrained } from '../response-body.ts';
import type { Session } from '../session-ids.ts';

/** Requests of one session at a time; more are turned away. */
const MAX_RUNNING = 64;

/** What `initialize` told, and who asked for it. */
export type OpenedSession = {
  readonly session: Session;
  /** Speaks the client's own revision, 2024-11-05 among them. */
  readonly codec: ServerCodec;
  readonly principal: Principal;
};

export type ConversationOptions = {
  readonly id: string;
  readonly principal: PrincipalKey;
  readonly response: ServerResponse;
  readonly stream: EventStream;
  readonly limits: Pick<EntrypointLimits, 'maxPendingNoticeBytes' | 'writeTimeoutMs'>;
  /** What the stream is told of between calls, once the client has introduced itself. */
  readonly listening: Listening | undefined;
};

export class SseConversation {
  readonly id: string;
  readonly principal: PrincipalKey;
  /** Undefined until the client has introduced itself. */
  opened: OpenedSession | undefined;
  readonly listening: Listening | undefined;
  readonly #options: ConversationOptions;
  #last: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #running = 0;
  #isEnding = false;

  constructor(options: ConversationOptions) {
    this.id = options.id;
    this.principal = options.principal;
    this.listening = options.listening;
    this.#options = options;
    // A listener for each question that is open; the bound is `MAX_RUNNING`.
    options.response.setMaxListeners(0);
  }

  get isGone(): boolean {
    const { response } = this.#options;
    return response.destroyed || response.writableEnded;
  }

  /** Its client does not read what it was answered: it gets no more to do until it has. */
  get isBehind(): boolean {
    const { response, limits } = this.#options;
    return response.writableLength + this.#waitingBytes > limits.maxPendingNoticeBytes;
  }

  /** A request begins; the returned function ends it. Undefined when too many are at work. */
  begin(): (() => void) | undefined {
    if (this.#running >= MAX_RUNNING || this.#isEnding) return undefined;
    this.#running += 1;
    return () => {
      this.#running -= 1;
      if (this.#isEnding) this.end();
    };
  }

  /** Can be spared: dropped when the client is far behind. */
  notice(text: string): Promise<void> | undefined {
    return this.isGone ? undefined : this.#options.stream.notice(text);
  }

  /** Whole, and never between the pieces of another one. Resolves when it was written, or nobody is there to read it. */
  message(message: EncodedMessage): Promise<void> {
    const bytes = sizeOf(message);
    this.#waitingBytes += bytes;
    this.#last = this.#write(message, bytes, this.#last);
    return this.#last;
  }

  async #write(message: EncodedMessage, bytes: number, before: Promise<void>): Promise<void> {
    await before;
    this.#waitingBytes -= bytes;
    if (this.isGone) return discard(message);
    await this.#options.stream.message(message);
    await whenDrained(this.#options.response, this.#options.limits.writeTimeoutMs);
  }

  whenGone(tell: () => void): () => void {
    const { response } = this.#options;
    response.once('close', tell);
    return () => response.off('close', tell);
  }

  /** Takes no more requests; the stream ends when those at work are answered. */
  end(): void {
    this.#isEnding = true;
    if (this.#running > 0) return;
    void this.#last.finally(() => {
      if (!this.isGone) this.#options.stream.end();
    });
  }
}

const sizeOf = ({ chunks }: EncodedMessage): number => chunks.reduce((size, chunk) => size + chunk.length, 0);

export type SseConversations = {
  /** What clients post with: who may, at which endpoint, and which stream the answers go to. */
  tokenFor(conversation: Pick<SseConversation, 'id' | 'principal'>, path: string, lifetimeMs: number): string;
  /** Undefined for what is no unexpired token of ours for the endpoint at `path`. */
  read(token: string, path: string): SseAddress | undefined;
  /** Those whose streams this process holds. Bounded by `maxStreams`. */
  readonly here: Map<string, SseConversation>;
};

/** Where a message is to go. `owner` is the process that holds the stream, for whoever can forward to it. */
export type SseAddress = { readonly id: string; readonly principal: PrincipalKey; readonly owner: ReplicaId };

/** `replica` is this process. */
export type SseConversationsOptions = { readonly sealer: Sealer; readonly replica: ReplicaId };

export function createSseConversations({ sealer, replica: owner }: SseConversationsOptions): SseConversations {
  return {
    here: new Map(),
    tokenFor: ({ id, principal }, path, lifetimeMs) =>
      sealer.seal('sse-session', { s: id, k: principal, p: path, o: owner }, lifetimeMs),
    read(token, path) {
      const opened = sealer.open('sse-session', token);
      if (!opened.ok) return undefined;
      const { s, k, p, o } = opened.value;
      if (typeof s !== 'string' || typeof k !== 'string' || typeof o !== 'string') return undefined;
      return p === path ? { id: s, principal: k, owner: o } : undefined;
    },
  };
}
