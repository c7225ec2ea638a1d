/**
 * A bounded map that forgets what was not used lately. Two generations instead of a linked list, so that a hit costs one
 * look-up.
 */

export class RecentMap<Key, Value> {
  readonly #maxYoung: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  /** @throws RangeError when there is no room for two. */
  constructor(maxEntries: number) {
    this.#maxYoung = Math.floor(maxEntries / 2);
    if (!Number.isSafeInteger(this.#maxYoung) || this.#maxYoung < 1) {
      throw new RangeError('a cache must have room for at least 2 entries');
    }
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#maxYoung && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: Key): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
