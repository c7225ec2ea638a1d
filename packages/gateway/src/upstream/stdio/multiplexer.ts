/**
 * Many calls over one pipe, or over one HTTP+SSE session. Ids are ours, whole numbers that never repeat, so an answer finds its call whatever two
 * clients chose; nothing waits for anything else. Lines that are no answer to a call are told to `observer` or refused.
 */

import type { Failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Era } from '../../model/revision.ts';
import type { UpstreamAnswer } from '../../protocol/codec.ts';
import { scanEnvelope } from '../../protocol/envelope.ts';
import { errorText, notificationText, resultText } from '../../protocol/json-rpc.ts';
import { readUpstreamAnswer } from '../../protocol/upstream-answer.ts';
import { LARGE_BYTES, openLargeAnswer } from './large-answer.ts';
import type { OversizedLine } from './line-splitter.ts';
import { identifyOversized } from './oversized-line.ts';
import type { MessageOutlet, OutboxEntry } from './outbox.ts';

export type Answer = Extract<UpstreamAnswer, { kind: 'response' | 'error' }>;

/** What a call hears. Exactly one of `answered`, `tooLarge`, `turnedAway` and `lost` is called, once, unless the call is forgotten. */
export interface Waiting {
  answered(answer: Answer): void;
  /** The answer came and was longer than a line may be. */
  tooLarge(bytes: number): void;
  /** The server did not take the request. */
  turnedAway(of: Failure): void;
  /** The process is gone. `written` tells whether the request may have reached it. */
  lost(written: boolean): void;
  readonly progressed?: ((params: JsonObject) => void) | undefined;
}

export type Observer = {
  /** A line that is no JSON-RPC message, or whose call nobody waits for. `line` holds at most its first bytes. */
  readonly strayLine: (reason: string, line: Uint8Array, bytes: number) => void;
};

export type ServerRequest = Extract<UpstreamAnswer, { kind: 'request' }>;

/** Hears what the server asks of a person or a client. */
export interface QuestionListener {
  asked(request: ServerRequest): void;
  /** It does not want to know any more. */
  withdrawn(id: unknown): void;
}

/** Hears log messages, which name no call. */
export interface LogListener {
  heard(params: JsonObject): void;
}

export type Hearer = (method: string, params: JsonObject) => void;

type Pending = { readonly waiting: Waiting; readonly entry: OutboxEntry };

const UNKNOWN_METHOD = -32601;
const QUESTIONS: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list']);
const STRAY_BYTES = 48;
const BRACKET_OPEN = 0x5b;

export class Multiplexer {
  /** Decided by the handshake. Until then every answer is handed on whole, because the handshake parses it. */
  era: Era | undefined;
  /** Of a process that was told that it may ask. Without one everything that it asks is refused. */
  questions: QuestionListener | undefined;
  /** Without one log messages are nobody's. */
  logs: LogListener | undefined;
  readonly #outbox: MessageOutlet;
  readonly #observer: Observer;
  readonly #pending = new Map<number, Pending>();
  /** One for each subscription. */
  readonly #hearers = new Set<Hearer>();
  #lastId = 0;
  #lost = false;

  constructor(outbox: MessageOutlet, observer: Observer) {
    this.#outbox = outbox;
    this.#observer = observer;
  }

  /** Also the progress token of the call: both are unique among what is in flight. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** Notifications, whoever else they are for. @returns How to stop. */
  hear(hearer: Hearer): () => void {
    this.#hearers.add(hearer);
    return () => void this.#hearers.delete(hearer);
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  /** False when the process reads too slowly and the queue is full: nothing was sent. */
  request(id: number, text: string, waiting: Waiting): boolean {
    if (this.#lost) {
      waiting.lost(false);
      return true;
    }
    const entry = this.#outbox.add(text);
    if (entry === undefined) return false;
    this.#pending.set(id, { waiting, entry });
    return true;
  }

  /**
   * Nobody waits for the call any more: its answer, when it comes, is dropped. Returns whether the request may have
   * reached the process, which is then told so (`notifications/cancelled`) if `reason` is given.
   */
  forget(id: number, reason?: string): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return true;
    this.#pending.delete(id);
    if (this.#outbox.withdraw(pending.entry)) return false;
    if (reason !== undefined) this.notify('notifications/cancelled', { requestId: id, reason });
    return true;
  }

  notify(method: string, params: JsonObject): void {
    void this.notifyText(notificationText(method, params));
  }

  /** Resolves to false when it is known that the server did not take it. */
  notifyText(text: string): Promise<boolean> {
    return this.#lost ? Promise.resolve(false) : this.#outbox.addSmall(text);
  }

  /** The request of this entry will not be answered: the server did not take it. */
  turnedAway(entry: OutboxEntry, of: Failure): void {
    for (const [id, pending] of this.#pending) {
      if (pending.entry !== entry) continue;
      this.#pending.delete(id);
      pending.waiting.turnedAway(of);
      return;
    }
  }

  /** The process is gone: every call in flight hears so. */
  lose(): void {
    this.#lost = true;
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { waiting, entry } of all) waiting.lost(entry.written);
  }

  acceptLine(line: Uint8Array): void {
    if (line[0] === BRACKET_OPEN) {
      this.#acceptBatch(line);
      return;
    }
    if (this.era !== undefined && line.length > LARGE_BYTES) {
      const large = openLargeAnswer(line, this.era);
      if (large !== undefined) {
        this.#accept(large, line);
        return;
      }
    }
    const era = this.era ?? 'legacy';
    const scan = scanEnvelope(line, { era, complete: true });
    if (scan.kind !== 'found') {
      this.#stray(scan.kind === 'not-json-rpc' ? scan.reason : 'is not complete', line);
      return;
    }
    const answer = readUpstreamAnswer({ era, head: line, envelope: scan.envelope });
    if (answer === undefined) this.#stray('is not valid JSON-RPC', line);
    else this.#accept(answer, line);
  }

  acceptOversized(line: OversizedLine): void {
    const id = identifyOversized(line);
    const pending = id === undefined ? undefined : this.#take(id);
    if (pending === undefined) this.#observer.strayLine('is too long', line.head.subarray(0, STRAY_BYTES), line.bytes);
    else pending.waiting.tooLarge(line.bytes);
  }

  #accept(answer: UpstreamAnswer, line: Uint8Array): void {
    switch (answer.kind) {
      case 'response':
      case 'error': {
        const pending = typeof answer.id === 'number' ? this.#take(answer.id) : undefined;
        // The answer to a cancelled call comes here too, and is nothing to report.
        if (pending !== undefined) pending.waiting.answered(answer);
        else if (typeof answer.id !== 'number' || answer.id > this.#lastId) this.#stray('answers no call', line);
        return;
      }
      case 'notification':
        if (answer.method === 'notifications/progress') this.#progress(answer.params);
        else if (answer.method === 'notifications/message') this.logs?.heard(answer.params);
        else if (answer.method === 'notifications/cancelled') this.questions?.withdrawn(answer.params['requestId']);
        for (const hear of this.#hearers) hear(answer.method, answer.params);
        return;
      case 'request':
        this.#answerRequest(answer);
    }
  }

  /** MCP 2025-03-26 let a server answer in batches; later revisions do not, and this costs them nothing. */
  #acceptBatch(line: Uint8Array): void {
    let messages: unknown;
    try {
      messages = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.length).toString('utf8'));
    } catch {
      this.#stray('is not valid JSON', line);
      return;
    }
    if (!Array.isArray(messages)) return;
    for (const message of messages as unknown[]) {
      if (Array.isArray(message)) this.#stray('is a batch within a batch', line);
      else this.acceptLine(Buffer.from(JSON.stringify(message)));
    }
  }

  #progress(params: JsonObject): void {
    const token = params['progressToken'];
    if (typeof token === 'number') this.#pending.get(token)?.waiting.progressed?.(params);
  }

  /** Answers a request of the server's. Resolves to false when it is known that the server did not take it. */
  respond(text: string): Promise<boolean> {
    return this.notifyText(text);
  }

  /** A server may ask whether we are alive. Everything else needs a person or a client, where one can be asked. */
  #answerRequest(request: ServerRequest): void {
    const { id, method } = request;
    if (method === 'ping') void this.respond(resultText(id, {}));
    else if (this.questions !== undefined && QUESTIONS.has(method)) this.questions.asked(request);
    else {
      const message = `The method ${method.slice(0, 100)} is not offered to this server.`;
      void this.respond(errorText(id, { code: UNKNOWN_METHOD, message }));
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending !== undefined) this.#pending.delete(id);
    return pending;
  }

  #stray(reason: string, line: Uint8Array): void {
    this.#observer.strayLine(reason, line.subarray(0, STRAY_BYTES), line.length);
  }
}
