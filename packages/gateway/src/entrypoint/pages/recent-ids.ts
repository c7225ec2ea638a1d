/** Ids that must not be taken again: states of log-ins that came back, sessions that were ended. Bounded, oldest out first. */

export class RecentIds {
  readonly #untilMs = new Map<string, number>();
  readonly #maxIds: number;

  constructor(maxIds: number) {
    this.#maxIds = maxIds;
  }

  /** False when it was there already. */
  add(id: string, untilMs: number, nowMs: number): boolean {
    if (this.has(id, nowMs)) return false;
    for (const [known, ends] of this.#untilMs) {
      if (ends > nowMs && this.#untilMs.size < this.#maxIds) break;
      this.#untilMs.delete(known);
    }
    this.#untilMs.set(id, untilMs);
    return true;
  }

  has(id: string, nowMs: number): boolean {
    return (this.#untilMs.get(id) ?? 0) > nowMs;
  }
}
