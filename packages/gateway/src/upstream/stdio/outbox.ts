/**
 * What is on its way to a process: all messages of one turn of the event loop in one write, none while the process does
 * not read, and never more than a bounded amount waiting.
 */

import type { Writable } from 'node:stream';

/** One message. `written` turns true when its bytes were given to the operating system or to the stream. */
export type OutboxEntry = { readonly text: string; written: boolean };

/** Where a `Multiplexer` leaves what it says: a pipe, or the address that takes the messages of an HTTP+SSE session. */
export interface MessageOutlet {
  /** Undefined when too much waits already. */
  add(text: string): OutboxEntry | undefined;
  /** For our own short messages. Resolves to false when it is known that the server did not take it. */
  addSmall(text: string): Promise<boolean>;
  /** Takes back what was not written yet. False when it was. */
  withdraw(entry: OutboxEntry): boolean;
}

export type OutboxOptions = {
  readonly stdin: Writable;
  /** Messages that wait are refused beyond this many characters. */
  readonly maxQueuedCharacters: number;
};

const TAKEN = Promise.resolve(true);
const DROPPED = Promise.resolve(false);

export class Outbox implements MessageOutlet {
  readonly #options: OutboxOptions;
  #queue: OutboxEntry[] = [];
  #queuedCharacters = 0;
  #scheduled = false;
  #blocked = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    options.stdin.on('drain', () => {
      this.#blocked = false;
      this.flush();
    });
  }

  /** Undefined when the queue is full. The text holds no line break. */
  add(text: string): OutboxEntry | undefined {
    // A queue that is empty takes any message: the size of one is bounded by whoever received it.
    const isFull = this.#queuedCharacters + text.length > this.#options.maxQueuedCharacters;
    if (isFull && this.#queue.length > 0) return undefined;
    return this.#push(text);
  }

  /** For our own short messages: dropped when twice the bound waits already, because then nobody is reading. */
  addSmall(text: string): Promise<boolean> {
    if (this.#queuedCharacters >= 2 * this.#options.maxQueuedCharacters) return DROPPED;
    this.#push(text);
    return TAKEN;
  }

  /** Takes back what was not written yet. */
  withdraw(entry: OutboxEntry): boolean {
    if (entry.written) return false;
    const index = this.#queue.indexOf(entry);
    if (index === -1) return false;
    this.#queue.splice(index, 1);
    this.#queuedCharacters -= entry.text.length;
    return true;
  }

  #push(text: string): OutboxEntry {
    const entry: OutboxEntry = { text, written: false };
    this.#queue.push(entry);
    this.#queuedCharacters += text.length;
    if (!this.#scheduled && !this.#blocked) {
      this.#scheduled = true;
      // Not a microtask: those run between two sockets' callbacks, this after all of the turn's.
      setImmediate(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
    return entry;
  }

  /** What waits for the end of this turn leaves now. */
  flush(): void {
    const { stdin } = this.#options;
    if (this.#blocked || this.#queue.length === 0 || !stdin.writable) return;
    let text = '';
    for (const entry of this.#queue) {
      entry.written = true;
      text += `${entry.text}\n`;
    }
    this.#queue = [];
    this.#queuedCharacters = 0;
    this.#blocked = !stdin.write(text);
  }
}
