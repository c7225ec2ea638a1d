/**
 * Calls of legacy servers that wait for a person, while no exchange with the client is open: each keeps its upstream, and goes
 * on when the answers come. Bounded in number and in time; whatever ends here is cancelled at the server and gives its upstream
 * back. They live in this process and end with it.
 */

import type { Call } from '../model/call.ts';
import { approvalsOf } from '../model/decision.ts';
import { failure, refuse, type Failure } from '../model/failure.ts';
import type { Continuation, Outcome, ReplicaId } from '../model/outcome.ts';
import type { PrincipalKey } from '../model/principal.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Asked, OpenCall } from './asking-call.ts';
import type { Clock } from './clock.ts';
import type { Upstream } from './connector.ts';

export type ParkingLimits = {
  /** For a person to answer one round of questions. */
  readonly answerMs: number;
  readonly maxParked: number;
  readonly maxParkedPerPrincipal: number;
  /** In one call. */
  readonly maxRounds: number;
};

export const DEFAULT_PARKING: ParkingLimits = {
  answerMs: 300_000,
  maxParked: 2000,
  maxParkedPerPrincipal: 20,
  maxRounds: 32,
};

/** The upstream that a call goes on holding. `release` may be called more than once. */
export type Hold = {
  readonly upstream: Upstream;
  /** Rounds of questions before. */
  readonly rounds: number;
  /** It turned out to have ended: nobody gets it again. */
  readonly discard: () => void;
  readonly release: () => void;
};

export type TakenCall = { readonly open: OpenCall; readonly hold: Hold };

export type ParkedContinuation = Extract<Continuation, { kind: 'parked' }>;

/** Where calls wait for answers. A port, so that one replica can find what another one holds. */
export interface ParkedCalls {
  /** The outcome to answer with: the questions, or why they cannot be asked. */
  park(call: Call, asked: Asked, hold: Hold): Outcome;
  /** Once: of two who bring answers at the same time, one goes on. @throws Refusal `invalid-state` */
  take(call: Call, continuation: ParkedContinuation): TakenCall;
  /** Nobody will answer any more. */
  drop(parkedCallId: string): void;
  readonly size: number;
  /** Cancels all, and parks no more. */
  close(): void;
}

export type ParkingOptions = {
  /** This process: nobody else has its calls. */
  readonly replica: ReplicaId;
  readonly limits: ParkingLimits;
  readonly newId: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
};

type ParkedCall = TakenCall & {
  readonly server: string;
  readonly version: string;
  readonly principal: PrincipalKey;
  readonly cancelDeadline: () => void;
};

/** @throws RangeError for a limit that would let nothing wait. */
export function createParkedCalls(options: ParkingOptions): ParkedCalls {
  const { replica, limits, newId, clock, logger } = options;
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0)) throw new RangeError(`parked calls: ${name} must be positive`);
  }
  const parked = new Map<string, ParkedCall>();
  const countOf = new Map<PrincipalKey, number>();
  let closed = false;

  const remove = (id: string): ParkedCall | undefined => {
    const found = parked.get(id);
    if (found === undefined) return undefined;
    parked.delete(id);
    found.cancelDeadline();
    const left = (countOf.get(found.principal) ?? 1) - 1;
    if (left > 0) countOf.set(found.principal, left);
    else countOf.delete(found.principal);
    return found;
  };

  const end = (id: string): void => {
    const found = remove(id);
    if (found !== undefined) give(found);
  };

  const boundMet = (principal: PrincipalKey, { rounds }: Hold): Failure | undefined => {
    if (closed) return failure('draining', { sent: 'yes' });
    if (rounds >= limits.maxRounds) return tooMuch(`The server has asked ${rounds} times in this call.`);
    if ((countOf.get(principal) ?? 0) >= limits.maxParkedPerPrincipal) {
      return tooMuch(
        `${limits.maxParkedPerPrincipal} of your calls wait for an answer, as many as may. Answer them first.`,
      );
    }
    if (parked.size < limits.maxParked) return undefined;
    return tooMuch(`${limits.maxParked} calls wait for an answer, as many as the gateway keeps.`);
  };

  return {
    park(call, { requests, open }, hold) {
      const { permit } = call.intent;
      const { id: server, version } = call.entry.server;
      const principal = permit.principal.key;
      const fault = boundMet(principal, hold);
      if (fault !== undefined) {
        give({ open, hold });
        return { kind: 'failed', failure: fault };
      }
      const id = newId();
      const late = (): void => {
        logger.info(
          { server, answerMs: limits.answerMs },
          'a question was not answered in time: its call is cancelled',
        );
        end(id);
      };
      const cancelDeadline = clock.after(limits.answerMs, late);
      const held = { ...hold, rounds: hold.rounds + 1 };
      parked.set(id, { open, hold: held, server, version, principal, cancelDeadline });
      countOf.set(principal, (countOf.get(principal) ?? 0) + 1);
      open.whenOver(hold.release);
      const approvedBy = approvalsOf(permit);
      const continuation = { kind: 'parked', server, version, owner: replica, parkedCallId: id } as const;
      return {
        kind: 'input-required',
        requests,
        continuation: approvedBy === undefined ? continuation : { ...continuation, approvedBy },
      };
    },
    take({ entry, intent }, { owner, parkedCallId }) {
      if (owner !== replica) throw refuse('invalid-state', { ...GONE, reason: 'the call was open in another process' });
      const found = parked.get(parkedCallId);
      if (found === undefined) throw refuse('invalid-state', { ...GONE, reason: 'the call is not open any more' });
      const { server } = entry;
      const isSame =
        found.server === server.id &&
        found.version === server.version &&
        found.principal === intent.permit.principal.key;
      if (!isSame) throw refuse('invalid-state', { reason: "the call is another caller's, or another server's" });
      remove(parkedCallId);
      return found;
    },
    drop: end,
    get size() {
      return parked.size;
    },
    close() {
      closed = true;
      for (const id of parked.keys()) end(id);
    },
  };
}

function give({ open, hold }: TakenCall): void {
  open.cancel();
  hold.release();
}

const tooMuch = (what: string): Failure =>
  failure('overloaded', { sent: 'yes', message: `${what} The call was cancelled at the server.` });

const GONE = {
  sent: 'maybe',
  message:
    'The call that this answers is not open any more: it was answered already, its time is over, or the gateway was ' +
    'started anew. Nothing was done now. Call again, without requestState; the server may have done a part of the first call.',
} as const;
