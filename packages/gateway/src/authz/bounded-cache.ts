/**
 * A bounded map that forgets what was not used lately. Two generations instead of a linked list: a hit in the young one
 * costs a single map look-up, which is what a cached decision can afford.
 */

/** Holds at most `maxEntries`; what was used since the last turn of generations is kept. */
export class BoundedCache<Value> {
  readonly #maxYoung: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  /** @throws RangeError when `maxEntries` is below 2 or not an integer. */
  constructor(maxEntries: number) {
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 2) {
      throw new RangeError(`A cache needs room for at least 2 entries, not ${maxEntries}.`);
    }
    this.#maxYoung = Math.floor(maxEntries / 2);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#maxYoung && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#old.delete(key);
    this.#young.set(key, value);
  }
}
