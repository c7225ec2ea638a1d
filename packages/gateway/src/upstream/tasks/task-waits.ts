/**
 * Who waits for a task on behalf of a client that takes none: bounded, in all and for each caller. A wait that has asked the
 * client something goes on when the client comes back; if it does not in time, its task is cancelled.
 */

import { failure, type Failure } from '../../model/failure.ts';
import type { PrincipalKey } from '../../model/principal.ts';
import type { Clock } from '../clock.ts';

export type TaskWaitLimits = {
  readonly maxWaiting: number;
  readonly maxWaitingPerPrincipal: number;
  /** For a person to answer. */
  readonly answerMs: number;
};

type Asking = { readonly end: () => void; readonly abandon: () => void };

export class TaskWaits {
  readonly #limits: TaskWaitLimits;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #countOf = new Map<PrincipalKey, number>();
  readonly #asking = new Map<string, Asking>();
  #count = 0;

  constructor(limits: TaskWaitLimits, clock: Clock, newId: () => string) {
    this.#limits = limits;
    this.#clock = clock;
    this.#newId = newId;
  }

  get size(): number {
    return this.#count;
  }

  /** A place, to be given back once; or why there is none. */
  enter(principal: PrincipalKey): (() => void) | Failure {
    const { maxWaiting, maxWaitingPerPrincipal } = this.#limits;
    const own = this.#countOf.get(principal) ?? 0;
    if (own >= maxWaitingPerPrincipal) return tooMany(`${maxWaitingPerPrincipal} of your calls wait for tasks`);
    if (this.#count >= maxWaiting) return tooMany(`${maxWaiting} calls wait for tasks`);
    this.#count += 1;
    this.#countOf.set(principal, own + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count -= 1;
      const left = (this.#countOf.get(principal) ?? 1) - 1;
      if (left > 0) this.#countOf.set(principal, left);
      else this.#countOf.delete(principal);
    };
  }

  /** Waits for the client to come back, in a place that `leave` gives back. */
  ask(leave: () => void, abandon: () => void): string {
    const id = this.#newId();
    const cancel = this.#clock.after(this.#limits.answerMs, () => this.drop(id));
    const end = (): void => {
      this.#asking.delete(id);
      cancel();
      leave();
    };
    this.#asking.set(id, { end, abandon });
    return id;
  }

  /** The client is back. One that asked elsewhere, or too long ago, is let be: its task may still be there. */
  goOn(id: string): void {
    this.#asking.get(id)?.end();
  }

  /** It will not come back. */
  drop(id: string): void {
    const asking = this.#asking.get(id);
    asking?.end();
    asking?.abandon();
  }

  close(): void {
    for (const id of this.#asking.keys()) this.drop(id);
  }
}

const tooMany = (what: string): Failure =>
  failure('overloaded', {
    sent: 'yes',
    message: `${what}, as many as may. The task was cancelled at its server. Wait for one of them to end, then call again.`,
    retryAfterMs: 1000,
  });
