/** The trail of one request: the steps write, `record` reads. */

import type { AttemptWatch, CallWatch, ServerPlace } from '../model/call.ts';
import type { Decision } from '../model/decision.ts';
import type { Operation } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { Entry, ServerId } from '../model/target.ts';
import type { ApprovalFact, AttemptFact, EnteredStep, Fact, Step, Trail } from '../model/trail.ts';
import type { RequestTrace } from '../telemetry/traces.ts';

/** A call that failed more often than this has told enough. */
const MAX_ATTEMPTS = 16;

export class RequestTrail implements Trail, CallWatch {
  readonly #clockMs: () => number;
  /** Undefined when the request is not traced. */
  readonly trace: RequestTrace | undefined;
  readonly steps: EnteredStep[] = [];
  readonly attempts: AttemptFact[] = [];
  /** Attempts, those that found no place in `attempts` included. */
  attempted = 0;
  principal: Principal | undefined;
  entry: Entry | undefined;
  operation: Operation | undefined;
  decision: Decision | undefined;
  approval: ApprovalFact | undefined;
  intentSequence: number | undefined;
  /** What became of its bodies is recorded by itself. */
  bodies = false;
  fallback: ServerId | undefined;
  release: (() => void) | undefined;
  listed: { readonly shown: number; readonly hidden: number } | undefined;

  constructor(clockMs: () => number, trace?: RequestTrace) {
    this.#clockMs = clockMs;
    this.trace = trace;
  }

  /** The steps before are over. */
  enter(step: Step): void {
    this.steps.push({ step, atMs: this.#clockMs() });
  }

  attempt(server: Entry['server'], place?: ServerPlace): AttemptWatch {
    const startedMs = this.#clockMs();
    this.attempted += 1;
    const { entry, trace } = this;
    const traced = trace?.attempt({ server: server.id, place, entry, startedMs, within: this.steps.at(-1) });
    const ended: AttemptWatch['ended'] = (end) => {
      if (this.attempts.length >= MAX_ATTEMPTS && traced === undefined) return;
      const attempt = { ...end, startedMs, endedMs: this.#clockMs() };
      if (this.attempts.length < MAX_ATTEMPTS) this.attempts.push(attempt);
      traced?.ended(attempt);
    };
    return traced === undefined ? { ended } : { traceContext: traced.context, ended };
  }

  note(fact: Fact): void {
    switch (fact.kind) {
      case 'authenticated':
        this.principal = fact.principal;
        break;
      case 'resolved':
        this.entry = fact.entry;
        break;
      case 'pinned':
        this.operation = fact.operation;
        break;
      case 'decided':
        this.decision = fact.decision;
        break;
      case 'approval':
        this.approval = fact.approval;
        break;
      case 'intended':
        this.intentSequence = fact.sequence;
        break;
      case 'fell-back':
        this.fallback = fact.server;
        break;
      case 'holding':
        this.release = fact.release;
        break;
      case 'listed':
        this.listed = fact;
        break;
    }
  }
}
