/**
 * The rest of a result that is still arriving, as its reader takes it: a reader that is slow slows the server's socket.
 * At most `HIGH_WATER_BYTES` and one more piece wait here.
 */

const HIGH_WATER_BYTES = 64 * 1024;

/** What a rest needs of the exchange that fills it. */
export interface RestSource {
  pause(): void;
  resume(): void;
  /** The reader left: nothing more is wanted. */
  abandon(): void;
  /** The reader has had everything, or was told why not, or left. Called once. */
  finished(): void;
}

type Waiting = {
  readonly resolve: (result: IteratorResult<Uint8Array, undefined>) => void;
  readonly reject: (reason: Error) => void;
};

const END: IteratorResult<Uint8Array, undefined> = { done: true, value: undefined };

/** Read once, by one reader. Rejects with the error that `fail` was given, a `Refusal`. */
export class StreamedRest implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #source: RestSource;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #paused = false;
  #waiting: Waiting | undefined;
  #ended = false;
  #error: Error | undefined;
  #finished = false;

  constructor(source: RestSource) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this;
  }

  push(piece: Uint8Array): void {
    if (this.#ended || piece.length === 0) return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: piece });
      return;
    }
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= HIGH_WATER_BYTES && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  end(): void {
    this.#ended = true;
    if (this.#waiting === undefined) return;
    this.#waiting.resolve(END);
    this.#finish();
  }

  /** What waits is dropped: a result that broke off is of no use. */
  fail(error: Error): void {
    if (this.#ended && this.#pieces.length === 0) return;
    this.#ended = true;
    this.#error = error;
    this.#pieces.length = 0;
    this.#waiting?.reject(error);
    this.#finish();
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.#bytes -= piece.length;
      if (this.#paused && this.#bytes < HIGH_WATER_BYTES) {
        this.#paused = false;
        this.#source.resume();
      }
      return Promise.resolve({ done: false, value: piece });
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) {
      this.#finish();
      return Promise.resolve(END);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    const isWhole = this.#ended;
    this.#ended = true;
    this.#pieces.length = 0;
    this.#waiting?.resolve(END);
    if (!isWhole) this.#source.abandon();
    this.#finish();
    return Promise.resolve(END);
  }

  #finish(): void {
    this.#waiting = undefined;
    if (this.#finished) return;
    this.#finished = true;
    this.#source.finished();
  }
}
