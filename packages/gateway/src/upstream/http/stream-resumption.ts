/**
 * A legacy server may close the stream of a call before it has answered, and be asked for the rest (MCP 2025-11-25,
 * basic/transports, Resumability and Redelivery): with GET and the id of the last event that we have had, after as long as it
 * said. Nothing of the call is done twice. The tries are bounded, the whole by the time of the call.
 */

import type { ExchangeHandler } from '../../egress/egress.ts';
import type { Clock } from '../clock.ts';

/** Asks for what comes after an event. */
export type AskForRest = (lastEventId: string, handler: ExchangeHandler) => void;

/** Tries in a row that brought nothing new, and in all: a server may close its streams as often as it likes, within reason. */
const MAX_FRUITLESS = 4;
const MAX_TRIES = 256;
const FIRST_DELAY_MS = 250;
/** It stands in a header. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

export class StreamResumption {
  /** As the server wants it; undefined before it said so. */
  retryMs: number | undefined;
  readonly #clock: Clock;
  readonly #ask: AskForRest;
  #cancel: (() => void) | undefined;
  #lastId: string | undefined;
  #tries = 0;
  #fruitless = 0;

  constructor(clock: Clock, ask: AskForRest) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** The stream was lost behind the event `lastId`. False when there is no going on; else `handler` hears of the rest. */
  goOn(lastId: string | undefined, handler: ExchangeHandler): boolean {
    const from = lastId ?? this.#lastId;
    if (from === undefined || !HEADER_SAFE.test(from)) return false;
    this.#fruitless = from === this.#lastId ? this.#fruitless + 1 : 0;
    this.#tries += 1;
    this.#lastId = from;
    if (this.#fruitless >= MAX_FRUITLESS || this.#tries > MAX_TRIES) return false;
    const delayMs = this.retryMs ?? FIRST_DELAY_MS * 2 ** this.#fruitless;
    this.#cancel = this.#clock.after(delayMs, () => this.#ask(from, handler));
    return true;
  }

  /** Nobody wants the rest. */
  stop(): void {
    this.#cancel?.();
  }
}
