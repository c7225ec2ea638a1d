/**
 * Whose question is it? A process that serves many writes its questions to one pipe, and no revision says there which call
 * they belong to. So, from a server's first question on, one call at a time is at work in a process: what is asked is that
 * call's. Calls that wait for a person are not at work, and others take their turns meanwhile. The first question of all
 * may meet several calls: it is held until one is left. Where it stays unclear, the server is told so and nobody is asked:
 * a question must never reach somebody else.
 */

import { failure, type Failure } from '../../model/failure.ts';
import type { PrincipalKey } from '../../model/principal.ts';
import { relatedTask } from '../../model/task.ts';
import type { ServerQuestion } from '../asking-call.ts';
import type { Clock } from '../clock.ts';

/** A call in the process, from its request to its answer. */
export interface TurnTaker {
  readonly principal: PrincipalKey;
  /** False when this call cannot be asked, or not this. */
  ask(question: ServerQuestion): boolean;
  withdrawn(id: unknown): void;
}

/** What is known of a server: `asks` once it did. */
export type AskingHabit = { asks: boolean };

export type TurnsOptions = {
  readonly clock: Clock;
  /** Of the server, whichever of its processes asked. */
  readonly habit: AskingHabit;
  /** Several people may be served: where one has left, the next one must not be asked what was for them. */
  readonly isShared: boolean;
  readonly refuse: (question: ServerQuestion, why: string) => void;
};

/** How long a call may wait for those before it. */
const MAX_WAIT_MS = 30_000;
const MAX_WAITING = 256;
/** How long the first question waits until it is clear whose it is. */
const MAX_HELD_MS = 5_000;
const MAX_HELD = 16;

type Waiting = { readonly taker: TurnTaker; readonly enter: () => void; readonly drop: () => void };

const NOT_ASKED = 'This question cannot be answered here.';
const UNCLEAR =
  'Several calls are open, so it cannot be told whose question this is. Call again: from now on one call at a time is made.';

export class Turns {
  readonly #options: TurnsOptions;
  /** At work: they may ask. */
  readonly #working = new Set<TurnTaker>();
  /** They have asked, and wait for a person. */
  readonly #parked = new Set<TurnTaker>();
  readonly #waiting: Waiting[] = [];
  /** Whose call was cancelled and may be at work all the same. */
  readonly #left = new Set<PrincipalKey>();
  /** Calls that follow a task, by its server's id: they have no turn. */
  readonly #following = new Map<string, TurnTaker>();
  #held: ServerQuestion[] = [];
  #cancelHeld: (() => void) | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Somebody's cancelled call may still ask something, and others would be asked it. */
  get isDoubtful(): boolean {
    return this.#options.habit.asks && this.#left.size > 0;
  }

  /** At once where nothing was ever asked. Else when it is its turn; a failure when that takes too long. */
  enter(taker: TurnTaker, signal: AbortSignal): Promise<Failure | undefined> | undefined {
    if (!this.#options.habit.asks || (this.#working.size === 0 && this.#waiting.length === 0)) {
      this.#working.add(taker);
      return undefined;
    }
    if (this.#waiting.length >= MAX_WAITING) return Promise.resolve(TOO_MANY);
    return this.#wait(taker, { signal, maxMs: MAX_WAIT_MS });
  }

  /** A call that was parked goes on: its wait is bounded by whoever waits for it. */
  async goOn(taker: TurnTaker, signal: AbortSignal): Promise<void> {
    this.#parked.delete(taker);
    if (this.#working.size === 0 && this.#waiting.length === 0) this.#working.add(taker);
    else await this.#wait(taker, { signal });
  }

  /** It has asked what it has to ask, and waits. */
  park(taker: TurnTaker): void {
    this.#working.delete(taker);
    this.#parked.add(taker);
    this.#next();
  }

  /** `answered`: the server is done with it. Else it may go on with it all the same. */
  leave(taker: TurnTaker, answered: boolean): void {
    this.#working.delete(taker);
    this.#parked.delete(taker);
    this.#waiting.find((waiting) => waiting.taker === taker)?.drop();
    if (!answered) {
      if (this.#options.isShared) this.#left.add(taker.principal);
      this.#refuseHeld(UNCLEAR);
    }
    this.#giveHeld();
    this.#next();
  }

  /** Questions that bear the mark of the task are this call's, whoever is at work (2025-11-25, tasks). The result ends it. */
  follow(taskId: string, taker: TurnTaker): () => void {
    this.#following.set(taskId, taker);
    return () => {
      if (this.#following.get(taskId) === taker) this.#following.delete(taskId);
    };
  }

  asked(question: ServerQuestion): void {
    const task = relatedTask(question.params);
    if (task !== undefined) {
      // Never a guess: it is that task's, or nobody's.
      if (this.#following.get(task)?.ask(question) !== true) this.#options.refuse(question, NOT_ASKED);
      return;
    }
    this.#options.habit.asks = true;
    if (this.#working.size > 1 && this.#held.length < MAX_HELD) {
      this.#held.push(question);
      this.#cancelHeld ??= this.#options.clock.after(MAX_HELD_MS, () => this.#refuseHeld(UNCLEAR));
      return;
    }
    this.#give(question);
  }

  withdrawn(id: unknown): void {
    this.#held = this.#held.filter((question) => question.id !== id);
    for (const taker of this.#working) taker.withdrawn(id);
    for (const taker of this.#parked) taker.withdrawn(id);
    for (const taker of this.#following.values()) taker.withdrawn(id);
  }

  #give(question: ServerQuestion): void {
    const [taker, ...others] = this.#working.size > 0 ? this.#working : this.#parked;
    // Somebody else's call that was cancelled could have asked as well.
    const isClear =
      taker !== undefined && others.length === 0 && [...this.#left].every((key) => key === taker.principal);
    if (!isClear) this.#options.refuse(question, UNCLEAR);
    else if (!taker.ask(question)) this.#options.refuse(question, NOT_ASKED);
  }

  /** All but one have been answered: that one has asked. */
  #giveHeld(): void {
    if (this.#held.length === 0 || this.#working.size > 1) return;
    const held = this.#takeHeld();
    for (const question of held) this.#give(question);
  }

  #refuseHeld(why: string): void {
    for (const question of this.#takeHeld()) this.#options.refuse(question, why);
  }

  #takeHeld(): readonly ServerQuestion[] {
    this.#cancelHeld?.();
    this.#cancelHeld = undefined;
    const held = this.#held;
    this.#held = [];
    return held;
  }

  #wait(taker: TurnTaker, { signal, maxMs }: { signal: AbortSignal; maxMs?: number }): Promise<Failure | undefined> {
    return new Promise((resolve) => {
      const finish = (of: Failure | undefined): void => {
        const index = this.#waiting.indexOf(waiting);
        if (index !== -1) this.#waiting.splice(index, 1);
        cancel?.();
        signal.removeEventListener('abort', drop);
        resolve(of);
      };
      const enter = (): void => {
        this.#working.add(taker);
        finish(undefined);
      };
      // Whoever is not waited for any more finds out by its own signal.
      const drop = (): void => finish(undefined);
      const waiting: Waiting = { taker, enter, drop };
      const cancel = maxMs === undefined ? undefined : this.#options.clock.after(maxMs, () => finish(TOO_LONG));
      signal.addEventListener('abort', drop, { once: true });
      this.#waiting.push(waiting);
      if (signal.aborted) drop();
      else this.#next();
    });
  }

  #next(): void {
    if (this.#working.size === 0) this.#waiting[0]?.enter();
  }
}

const BUSY =
  'The server asks people in the middle of its calls, so that one session or process makes one call at a time for clients that can be asked.';

const TOO_LONG: Failure = failure('overloaded', {
  message: `${BUSY} The calls before took too long. Try again shortly.`,
});
const TOO_MANY: Failure = failure('overloaded', { message: `${BUSY} Too many wait. Try again shortly.` });
