/**
 * The session of a client that shakes hands (2025-11-25 and before): its id and revision go with every request, a stream
 * stands open for what the server says by itself, and a session that the server has forgotten is opened again without
 * the client noticing: the request was refused, so nothing is done twice.
 */

import { setTimeout as pause } from 'node:timers/promises';

import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { ClientMessage } from './client-message.ts';
import { headerOf, type Reply } from './http.ts';
import { readMessages } from './messages.ts';

type Request = Extract<ClientMessage, { kind: 'request' }>;

type Headers = Readonly<Record<string, string>>;

export type LegacySessionParts = {
  readonly post: (line: string, headers: Headers, signal: AbortSignal) => Promise<Reply>;
  readonly get: (headers: Headers, signal: AbortSignal) => Promise<Reply>;
  readonly end: (headers: Headers) => Promise<Reply>;
  readonly write: (text: string) => Promise<void> | void;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
};

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export class LegacySession {
  readonly #parts: LegacySessionParts;
  #id: string | undefined;
  #revision: string | undefined;
  /** The client's own lines, to say them again. */
  #handshake: string | undefined;
  #initialized: string | undefined;
  #reopening: Promise<boolean> | undefined;
  #listening: AbortController | undefined;

  constructor(parts: LegacySessionParts) {
    this.#parts = parts;
  }

  /** The client has shaken hands. */
  get isLegacy(): boolean {
    return this.#handshake !== undefined;
  }

  get headers(): Headers {
    return {
      ...(this.#id === undefined ? {} : { 'mcp-session-id': this.#id }),
      ...(this.#revision === undefined ? {} : { 'mcp-protocol-version': this.#revision }),
    };
  }

  async request({ method }: Request, line: string, signal: AbortSignal): Promise<Reply> {
    if (method === 'initialize') {
      this.#forget();
      this.#handshake = line;
      return this.#parts.post(line, {}, signal);
    }
    const used = this.#id;
    const reply = await this.#parts.post(line, this.headers, signal);
    if (reply.status !== 404 || used === undefined || !(await this.#reopened(used))) return reply;
    await reply.body.cancel();
    return this.#parts.post(line, this.headers, signal);
  }

  /** The answer to `initialize` says how the two will speak. */
  noteResult({ method }: Pick<Request, 'method'>, { reply, result }: { reply: Reply; result: JsonObject }): void {
    if (method !== 'initialize') return;
    this.#id = headerOf(reply, 'mcp-session-id');
    const { protocolVersion } = result;
    this.#revision = typeof protocolVersion === 'string' ? protocolVersion : undefined;
  }

  noteNotification(method: string, line: string): void {
    if (method !== 'notifications/initialized') return;
    this.#initialized = line;
    void this.#listen();
  }

  /** Tells the server that it is over; whether it hears it does not matter. */
  async end(): Promise<void> {
    if (this.#id === undefined) return;
    const { headers } = this;
    this.#forget();
    await this.#parts.end(headers).then(
      (reply) => reply.body.cancel(),
      () => undefined,
    );
  }

  #forget(): void {
    this.#listening?.abort();
    this.#id = undefined;
    this.#revision = undefined;
    this.#handshake = undefined;
    this.#initialized = undefined;
  }

  /** The server does not know the session `lost` any more. @returns whether there is another one now */
  #reopened(lost: string): Promise<boolean> {
    if (this.#id !== lost) return Promise.resolve(this.#id !== undefined);
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  async #reopen(): Promise<boolean> {
    const { post, signal } = this.#parts;
    if (this.#handshake === undefined) return false;
    try {
      const reply = await post(this.#handshake, {}, signal);
      let result: JsonObject | undefined;
      await readMessages(reply, {
        take: (text) => {
          const message: unknown = JSON.parse(text);
          if (isJsonObject(message) && isJsonObject(message['result'])) result = message['result'];
        },
      });
      if (reply.status !== 200 || result === undefined) return false;
      this.noteResult({ method: 'initialize' }, { reply, result });
      if (this.#initialized !== undefined) {
        await (await post(this.#initialized, this.headers, signal)).body.cancel();
        void this.#listen();
      }
      return true;
    } catch {
      return false;
    }
  }

  /** The stream for what belongs to no request. A server that offers none says 405, and that is that. */
  async #listen(): Promise<void> {
    this.#listening?.abort();
    const listening = (this.#listening = new AbortController());
    const signal = AbortSignal.any([listening.signal, this.#parts.signal]);
    let lastEventId: string | undefined;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        const resumed: Headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
        const reply = await this.#parts.get({ accept: 'text/event-stream', ...this.headers, ...resumed }, signal);
        if (reply.status !== 200) return await reply.body.cancel();
        pauseMs = FIRST_PAUSE_MS;
        await readMessages(reply, {
          take: this.#parts.write,
          position: ({ lastEventId: id, retryMs }) => {
            lastEventId = id ?? lastEventId;
            pauseMs = Math.min(retryMs ?? pauseMs, LONGEST_PAUSE_MS);
          },
        });
      } catch {
        // It broke off, or nothing answers: the requests of the client will say so. This goes on trying.
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
      await pause(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
