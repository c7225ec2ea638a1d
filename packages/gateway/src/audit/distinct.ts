/** How many different ones there were, exactly up to a bound, and from there on as "at least". */

/** Beyond `exact: false` there are more. */
export type Distinct = { readonly count: number; readonly exact: boolean };

/** Names that several counts share, as small numbers, and how much all of them together may hold. */
export class DistinctNames {
  readonly #numbers = new Map<string, number>();
  readonly #maxNames: number;
  #room: number;

  constructor(maxNames = 200_000, maxHeld = 2_000_000) {
    this.#maxNames = maxNames;
    this.#room = maxHeld;
  }

  numberOf(name: string): number | undefined {
    const known = this.#numbers.get(name);
    if (known !== undefined || this.#numbers.size >= this.#maxNames) return known;
    this.#numbers.set(name, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  /** Room for one more, where there is any. */
  take(): boolean {
    this.#room -= 1;
    return this.#room >= 0;
  }
}

export class DistinctCount {
  readonly #seen = new Set<number>();
  readonly #names: DistinctNames;
  readonly #max: number;
  #exact = true;

  constructor(names: DistinctNames, max = 10_000) {
    this.#names = names;
    this.#max = max;
  }

  add(name: string): void {
    const number = this.#names.numberOf(name);
    if (number !== undefined && this.#seen.has(number)) return;
    if (number === undefined || this.#seen.size >= this.#max || !this.#names.take()) this.#exact = false;
    else this.#seen.add(number);
  }

  get value(): Distinct {
    return { count: this.#seen.size, exact: this.#exact };
  }
}
