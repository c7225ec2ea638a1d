/**
 * Where a request of an HTTP+SSE session is answered: its POST is acknowledged, and everything else goes to the stream. The
 * acknowledgement waits a moment, because a refused credential must be told to the POST (RFC 9110, 15.5.2): its client
 * obtains another one and posts again.
 */

import { respondEmpty, type EndpointArrival } from '../arrival.ts';
import type { CallReply } from '../reply.ts';
import type { SseConversation } from './sse-conversation.ts';

/** Who is calling is known sooner as a rule; clients that post one message after the other wait no longer than this. */
const ACKNOWLEDGE_MS = 250;

export class SseReply implements CallReply {
  readonly #arrival: EndpointArrival;
  readonly #conversation: SseConversation;
  readonly #timer: NodeJS.Timeout;
  #isAcknowledged = false;

  constructor(arrival: EndpointArrival, conversation: SseConversation) {
    this.#arrival = arrival;
    this.#conversation = conversation;
    this.#timer = setTimeout(() => this.acknowledge(), ACKNOWLEDGE_MS);
  }

  get isAcknowledged(): boolean {
    return this.#isAcknowledged;
  }

  acknowledge(): void {
    if (this.#isAcknowledged) return;
    this.#isAcknowledged = true;
    clearTimeout(this.#timer);
    respondEmpty(this.#arrival, 202);
  }

  /** The POST is answered in another way. */
  cancel(): void {
    this.#isAcknowledged = true;
    clearTimeout(this.#timer);
  }

  notice(text: string): Promise<void> | undefined {
    this.acknowledge();
    return this.#conversation.notice(text);
  }

  async ask(text: string): Promise<boolean> {
    this.acknowledge();
    await this.#conversation.message({ chunks: [text] });
    return !this.#conversation.isGone;
  }

  whenGone(tell: () => void): () => void {
    return this.#conversation.whenGone(tell);
  }
}
