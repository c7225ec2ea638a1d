/**
 * Calls that wait for somebody's word. A decision taken in this process wakes them at once; one that another replica took
 * is found by looking.
 */

import type { Approval } from './approval.ts';
import type { ApprovalStore } from './approval-store.ts';

export type DecisionWatchOptions = {
  readonly store: Pick<ApprovalStore, 'get'>;
  readonly now: () => number;
  readonly pollMs: number;
  /** Calls that wait at once; further ones are answered as things stand. Default 1,000. */
  readonly maxWaiting?: number;
};

export class DecisionWatch {
  readonly #options: DecisionWatchOptions;
  readonly #waiting = new Map<string, Set<() => void>>();
  #count = 0;

  constructor(options: DecisionWatchOptions) {
    this.#options = options;
  }

  decided({ id }: Approval): void {
    for (const wake of this.#waiting.get(id) ?? []) wake();
  }

  async settled(approval: Approval, forMs: number, signal: AbortSignal): Promise<Approval> {
    const { store, now, pollMs, maxWaiting = 1_000 } = this.#options;
    // Counted in steps and not read from the clock, which can be set back.
    let leftMs = Math.min(forMs, approval.expiresAtMs - now());
    let current = approval;
    while (current.status === 'pending' && leftMs > 0 && !signal.aborted && this.#count < maxWaiting) {
      const stepMs = Math.min(leftMs, pollMs);
      leftMs -= stepMs;
      await this.#changed(approval.id, stepMs, signal);
      current = (await store.get(approval.tenant, approval.id)) ?? current;
    }
    return current;
  }

  /** Resolves when somebody decided here, when it is time to look, or when nobody waits any more. */
  async #changed(id: string, forMs: number, signal: AbortSignal): Promise<void> {
    const wakers = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, wakers);
    this.#count += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, forMs);
    wakers.add(resolve);
    const abandon = (): void => resolve();
    signal.addEventListener('abort', abandon, { once: true });
    await promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', abandon);
    wakers.delete(resolve);
    this.#count -= 1;
    if (wakers.size === 0) this.#waiting.delete(id);
  }
}
