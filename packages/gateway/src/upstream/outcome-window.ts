/**
 * How the latest calls to a server went, as far as they say something about the server: what passive health is judged by.
 * A server that nobody calls is not judged by what happened an hour ago.
 */

import type { Failure, FailureCode } from '../model/failure.ts';
import { failureMessage } from '../model/failure.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Clock } from './clock.ts';
import type { Served } from './interceptors/circuit-breaker.ts';

/** Where on its way a call failed. */
export type FailureStage = 'connect' | 'credential' | 'send' | 'answer';

export type LastFailure = {
  readonly stage: FailureStage;
  readonly code: FailureCode;
  readonly message: string;
  readonly agoMs: number;
};

export type RecentOutcomes = {
  /** Of the last minute, `MAX_CALLS` at most. */
  readonly calls: number;
  readonly unserved: number;
  /** However long ago. */
  readonly lastFailure?: LastFailure;
  /** How long ago a call was last served. */
  readonly servedAgoMs?: number;
};

const MAX_CALLS = 20;
const WINDOW_MS = 60_000;
const MAX_MESSAGE = 300;

export class OutcomeWindow {
  readonly #clock: Clock;
  /** A ring: when each call ended, negative when it was not served; 0 for none yet. */
  readonly #ended = new Float64Array(MAX_CALLS);
  #next = 0;
  #lastFailure: { readonly failure: Failure; readonly atMs: number } | undefined;
  #lastServedMs: number | undefined;
  #failingSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(outcome: Outcome, served: Served): void {
    const nowMs = this.#clock.nowMs();
    // A refused credential says nothing of the server's health, but it is a failure that its operator has to know of.
    if (outcome.kind === 'failed' && (served === 'no' || outcome.failure.code === 'upstream-refused')) {
      this.#lastFailure = { failure: outcome.failure, atMs: nowMs };
    }
    if (served === 'neither') return;
    if (served === 'yes') this.#lastServedMs = nowMs;
    this.#failingSinceMs = served === 'yes' ? undefined : (this.#failingSinceMs ?? nowMs);
    this.#ended[this.#next] = served === 'yes' ? nowMs : -nowMs;
    this.#next = (this.#next + 1) % MAX_CALLS;
  }

  /** Since the first call that was not served, when none was since then. */
  get outageMs(): number {
    return this.#failingSinceMs === undefined ? 0 : this.#clock.nowMs() - this.#failingSinceMs;
  }

  recent(): RecentOutcomes {
    const nowMs = this.#clock.nowMs();
    let calls = 0;
    let unserved = 0;
    for (const ended of this.#ended) {
      if (ended === 0 || Math.abs(ended) < nowMs - WINDOW_MS) continue;
      calls += 1;
      if (ended < 0) unserved += 1;
    }
    const last = this.#lastFailure;
    return {
      calls,
      unserved,
      ...(last === undefined ? {} : { lastFailure: told(last.failure, nowMs - last.atMs) }),
      ...(this.#lastServedMs === undefined ? {} : { servedAgoMs: nowMs - this.#lastServedMs }),
    };
  }
}

function told(failure: Failure, agoMs: number): LastFailure {
  return { stage: stageOf(failure), code: failure.code, message: failureMessage(failure).slice(0, MAX_MESSAGE), agoMs };
}

function stageOf({ code, sent }: Failure): FailureStage {
  if (code === 'upstream-refused') return 'credential';
  if (sent !== 'no') return 'answer';
  return code === 'upstream-closed' ? 'send' : 'connect';
}
