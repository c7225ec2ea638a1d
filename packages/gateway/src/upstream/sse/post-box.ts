/**
 * Where the messages of an HTTP+SSE session are posted. A request is posted at once, whatever else is under way: its answer
 * comes on the stream. What waits for no answer leaves one after the other, because two POSTs can overtake each other, and
 * the end of a call must not be heard behind the answer to its question.
 */

import type { ExchangeController, ExchangeHandler, ResponseHeaders } from '../../egress/egress.ts';
import { failure } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import { notificationText } from '../../protocol/json-rpc.ts';
import type { Clock } from '../clock.ts';
import { connectionFailure, GIVEN_UP, withoutMessage } from '../http/exchange-failures.ts';
import type { MessageOutlet, OutboxEntry } from '../stdio/outbox.ts';

export type PostBoxOptions = {
  readonly clock: Clock;
  readonly post: (body: string, handler: ExchangeHandler) => void;
  /** The server did not take this request. */
  readonly turnedAway: (entry: OutboxEntry, of: Failure) => void;
  /** The server does not know the session any more. */
  readonly lost: () => void;
  /** Requests whose POST was not answered yet; more are refused. */
  readonly maxOpen: number;
};

/** Some servers answer a POST only when they have done what it asks for. */
const REQUEST_TIMEOUT_MS = 300_000;
const SMALL_TIMEOUT_MS = 5000;
/** How long a POST that nobody waits for may go on, and how long its cancellation waits for it. */
const LEFT_MS = 1000;
const MAX_WAITING = 256;
const MAX_DROPPED_BYTES = 64 * 1024;

/** By these a server says that there is no such session. */
const UNKNOWN_SESSION = new Set([404, 410]);
/** Says so as well on servers of the official SDK; on others, that they cannot read the message. */
const UNCLEAR = 400;

const NOT_TAKEN: Failure = failure('upstream-closed', { message: 'The server has ended the session.' });

type Answered = { readonly status: number; readonly failure: Failure | undefined };

/** One POST. `answered` resolves with the status as soon as there is one, or with why there will be none. */
class PostedMessage implements ExchangeHandler, OutboxEntry {
  readonly text: string;
  readonly answered: Promise<Answered>;
  written = false;
  #controller: ExchangeController | undefined;
  #isGivenUp = false;
  #dropped = 0;
  readonly #resolve: (answered: Answered) => void;

  constructor(text: string) {
    this.text = text;
    const { promise, resolve } = Promise.withResolvers<Answered>();
    this.answered = promise;
    this.#resolve = resolve;
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.#resolve({ status: 0, failure: connectionFailure(GIVEN_UP, this.written ? 'maybe' : 'no') });
    this.#controller?.abort(GIVEN_UP);
  }

  onRequestStart(controller: ExchangeController): void {
    this.#controller = controller;
    if (this.#isGivenUp) controller.abort(GIVEN_UP);
    else this.written = true;
  }

  onResponseStart(_controller: ExchangeController, status: number, headers: ResponseHeaders): void {
    if (status < 200) return;
    this.#resolve({ status, failure: status < 300 ? undefined : withoutMessage(status, headers) });
  }

  onResponseData(controller: ExchangeController, piece: Uint8Array): void {
    this.#dropped += piece.length;
    if (this.#dropped > MAX_DROPPED_BYTES) controller.abort(GIVEN_UP);
  }

  onResponseEnd(): void {
    // The status has told everything.
  }

  onResponseError(_controller: ExchangeController, error: Error): void {
    this.#resolve({ status: 0, failure: connectionFailure(error, this.written ? 'maybe' : 'no') });
  }
}

export class PostBox implements MessageOutlet {
  readonly #options: PostBoxOptions;
  readonly #open = new Map<OutboxEntry, PostedMessage>();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: PostBoxOptions) {
    this.#options = options;
  }

  add(text: string): OutboxEntry | undefined {
    if (this.#open.size >= this.#options.maxOpen) return undefined;
    const posted = this.#post(text, REQUEST_TIMEOUT_MS);
    void this.#judge(posted);
    return posted;
  }

  addSmall(text: string): Promise<boolean> {
    if (this.#waiting >= MAX_WAITING) return Promise.resolve(false);
    return this.#inTurn(async () => {
      const { status, failure: fault } = await this.#post(text, SMALL_TIMEOUT_MS).answered;
      if (UNKNOWN_SESSION.has(status)) this.#options.lost();
      return fault === undefined;
    });
  }

  withdraw(entry: OutboxEntry): boolean {
    const posted = this.#open.get(entry);
    if (posted === undefined) return false;
    if (!posted.written) {
      posted.giveUp();
      return true;
    }
    // Its cancellation must not arrive before it.
    void this.#inTurn(() => this.#within(posted.answered, LEFT_MS)).then(() => posted.giveUp());
    return false;
  }

  /** What waits leaves, for so long; then nothing is posted any more. */
  async close(withinMs: number): Promise<void> {
    await this.#within(this.#last, withinMs);
    this.#isClosed = true;
    for (const posted of this.#open.values()) posted.giveUp();
  }

  #post(text: string, timeoutMs: number): PostedMessage {
    const posted = new PostedMessage(text);
    if (this.#isClosed) {
      posted.giveUp();
      return posted;
    }
    const cancel = this.#options.clock.after(timeoutMs, () => posted.giveUp());
    this.#open.set(posted, posted);
    void posted.answered.finally(() => {
      cancel();
      this.#open.delete(posted);
    });
    this.#options.post(text, posted);
    return posted;
  }

  async #judge(posted: PostedMessage): Promise<void> {
    const { status, failure: fault } = await posted.answered;
    // Of a session that ends, its calls hear so at once and together.
    if (fault === undefined || this.#isClosed) return;
    const isGone = UNKNOWN_SESSION.has(status) || (status === UNCLEAR && !(await this.#isKnown()));
    this.#options.turnedAway(posted, isGone ? NOT_TAKEN : fault);
    if (isGone) this.#options.lost();
  }

  /** Does the server take a message that cannot be wrong? One that is about nothing, and that nothing answers. */
  async #isKnown(): Promise<boolean> {
    const text = notificationText('notifications/cancelled', { requestId: 0, reason: 'Is the session still there?' });
    return (await this.#post(text, SMALL_TIMEOUT_MS).answered).failure === undefined;
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const done = this.#last.then(act).finally(() => {
      this.#waiting -= 1;
    });
    this.#last = done;
    return done;
  }

  #within(promise: Promise<unknown>, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      void promise.finally(() => {
        cancel();
        resolve();
      });
    });
  }
}
