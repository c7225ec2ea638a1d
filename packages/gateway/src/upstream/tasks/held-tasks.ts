/**
 * Tasks that live in a session or a process: each keeps the one that has it for as long as somebody asks after it. Bounded in
 * number and in time. They live in this process; a task that is not held here any more is looked for where its caller's calls
 * go, and is gone if the server there does not know it.
 */

import type { Call, SendOptions } from '../../model/call.ts';
import { failure, refuse, type Failure } from '../../model/failure.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { PrincipalKey } from '../../model/principal.ts';
import { isTerminal } from '../../model/task.ts';
import type { Clock } from '../clock.ts';
import type { Upstream } from '../connector.ts';
import { LegacyTask, type StepCall, type TaskKeeper } from './legacy-task.ts';

export type HeldTaskLimits = {
  /** After the last time that anybody asked after it. */
  readonly keepMs: number;
  readonly maxHeld: number;
  readonly maxHeldPerPrincipal: number;
};

export type HeldTasksOptions = {
  readonly limits: HeldTaskLimits;
  readonly newId: () => string;
  readonly clock: Clock;
};

export type UpstreamHold = { readonly upstream: Upstream; readonly release: () => void };

type HeldTask = UpstreamHold & {
  readonly keeper: TaskKeeper;
  readonly principal: PrincipalKey;
  cancelDeadline: () => void;
  /** Its client has been told how it ended: it makes room for another one. */
  isFinished: boolean;
};

const KEEP_FINISHED_MS = 60_000;

export class HeldTasks {
  readonly #options: HeldTasksOptions;
  readonly #held = new Map<string, HeldTask>();
  readonly #countOf = new Map<PrincipalKey, number>();
  #closed = false;

  /** @throws RangeError for a limit that would hold nothing. */
  constructor(options: HeldTasksOptions) {
    for (const [name, value] of Object.entries(options.limits)) {
      if (!(value > 0)) throw new RangeError(`tasks: ${name} must be positive`);
    }
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Does the upstream have tasks that are lost with it? A modern server over HTTP is asked anywhere. */
  static livesIn({ era, transport }: Upstream): boolean {
    return era === 'legacy' || transport === 'stdio';
  }

  /** The name that the task is held under, or why it is not; then the hold is given back. */
  begin(call: Call, hold: UpstreamHold): string | Failure {
    const id = this.#options.newId();
    const fault = this.#hold(id, call, hold);
    return fault ?? id;
  }

  /** The upstream of a task that is held here. Undefined when it is not. */
  find({ intent, step }: StepCall): { readonly upstream: Upstream; readonly id: string } | undefined {
    const id = step.ref.held;
    const found = id === undefined ? undefined : this.#held.get(id);
    if (id === undefined || found?.principal !== intent.permit.principal.key) return undefined;
    return { upstream: found.upstream, id };
  }

  /** Of a task that was found where its caller's calls go. @throws Refusal `overloaded` or `draining` */
  adopt(call: StepCall, hold: UpstreamHold): string {
    const id = call.step.ref.held ?? this.#options.newId();
    const fault = this.#hold(id, call, hold);
    if (fault !== undefined) throw refuse(fault.code, fault);
    return id;
  }

  async step(id: string, call: StepCall, options: SendOptions): Promise<Outcome> {
    const held = this.#held.get(id);
    if (held === undefined) throw refuse('unknown-task', { reason: 'the task is not held any more' });
    const outcome = await held.keeper.step(call, options);
    held.isFinished = outcome.kind === 'task' && isTerminal(outcome.task);
    if (!held.isFinished) this.#keep(id, held);
    // Its client may ask once more: where the upstream stays, it is found there; a process for one call ends with this.
    else if (call.entry.server.sharing === 'call') this.#keep(id, held, KEEP_FINISHED_MS);
    else this.drop(id);
    return outcome;
  }

  /** Nobody will ask any more. */
  drop(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    held.cancelDeadline();
    const left = (this.#countOf.get(held.principal) ?? 1) - 1;
    if (left > 0) this.#countOf.set(held.principal, left);
    else this.#countOf.delete(held.principal);
    held.keeper.close();
    held.release();
  }

  close(): void {
    this.#closed = true;
    for (const id of this.#held.keys()) this.drop(id);
  }

  #hold(id: string, { intent }: Call, hold: UpstreamHold): Failure | undefined {
    const principal = intent.permit.principal.key;
    if (this.#boundMet(principal) !== undefined) this.#forgetFinished();
    const fault = this.#boundMet(principal);
    if (fault !== undefined) {
      hold.release();
      return fault;
    }
    const { clock } = this.#options;
    const { upstream } = hold;
    const keeper = upstream.era === 'legacy' ? new LegacyTask(upstream, clock) : plainTask(upstream);
    const held: HeldTask = { ...hold, keeper, principal, cancelDeadline: () => undefined, isFinished: false };
    this.#held.set(id, held);
    this.#countOf.set(principal, (this.#countOf.get(principal) ?? 0) + 1);
    this.#keep(id, held);
    void this.#dropWhenEnded(id, held);
    return undefined;
  }

  async #dropWhenEnded(id: string, held: HeldTask): Promise<void> {
    await held.upstream.ended;
    if (this.#held.get(id) === held) this.drop(id);
  }

  #keep(id: string, held: HeldTask, ms = this.#options.limits.keepMs): void {
    if (this.#held.get(id) !== held) return;
    held.cancelDeadline();
    held.cancelDeadline = this.#options.clock.after(ms, () => this.drop(id));
  }

  #forgetFinished(): void {
    for (const [id, { isFinished }] of this.#held) if (isFinished) this.drop(id);
  }

  #boundMet(principal: PrincipalKey): Failure | undefined {
    const { maxHeld, maxHeldPerPrincipal } = this.#options.limits;
    if (this.#closed) return failure('draining', { sent: 'yes' });
    if ((this.#countOf.get(principal) ?? 0) >= maxHeldPerPrincipal) {
      return tooMany(`You have ${maxHeldPerPrincipal} tasks, as many as may be kept for one caller`);
    }
    return this.#held.size >= maxHeld ? tooMany(`${maxHeld} tasks are kept, as many as the gateway keeps`) : undefined;
  }
}

const plainTask = (upstream: Upstream): TaskKeeper => ({
  step: (call, options) => upstream.send(call, options),
  close: () => undefined,
});

const tooMany = (what: string): Failure =>
  failure('overloaded', {
    sent: 'yes',
    message: `${what}. Wait for one of them to end, or cancel it, then call again.`,
  });
