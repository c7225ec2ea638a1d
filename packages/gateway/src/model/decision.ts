/**
 * Permits, intents and decisions. A permit can be made in `authz/permit.ts` only, an intent in `audit/intent.ts` only
 * (test/architecture.test.ts): the classes are declared, not defined, and a `#private` member keeps a look-alike object,
 * a spread of a real one included, from passing for either.
 */

import type { Operation } from './operation.ts';
import type { Principal } from './principal.ts';
import type { Target } from './target.ts';

/**
 * `caller`: whoever asks confirms, in the protocol or, for high risk, after a log-in in the browser. A group: someone else,
 * who is in it and is not the caller.
 */
export type Approver = { readonly kind: 'caller' } | { readonly kind: 'group'; readonly group: string };

/** What still has to happen before a permitted call may leave. */
export type Obligation = {
  readonly kind: 'approval';
  readonly by: Approver;
  /** The permit that demands it, and what its author says about it in `@description`. */
  readonly policy: string;
  readonly description?: string;
};

/** `caller`, `group:dba`: as policies, records and people write it. */
export const approverText = (by: Approver): string => (by.kind === 'caller' ? 'caller' : `group:${by.group}`);

/** What a permit wants approved, in words that can be compared; undefined when it wants nothing. */
export const approvalsOf = ({ obligations }: Permit): string | undefined =>
  obligations.length === 0
    ? undefined
    : obligations
        .map(({ by }) => approverText(by))
        .toSorted()
        .join(' ');

/** Proof that `principal` may do exactly `operation` on exactly `target`. */
export declare class Permit {
  #permit: never;
  private constructor();
  readonly principal: Principal;
  readonly operation: Operation;
  readonly target: Target;
  readonly obligations: readonly Obligation[];
  /** Why: the intent names the policies, so that a call whose outcome is missing is explained, too. */
  readonly grounds: Grounds;
}

/** Proof that the record knows of the call before it is made: durable, unless the operator marked the target read-only. */
export declare class Intent {
  #intent: never;
  private constructor();
  readonly permit: Permit;
}

/** Why a decision came out as it did. */
export type Grounds = {
  /** Ids of the determining policies, for example `files.allow[0]`. Empty when nothing permitted. */
  readonly policies: readonly string[];
  /** Which set of policies decided: a digest of their text. */
  readonly policyVersion: string;
  /** Evaluation errors; any error is a deny. */
  readonly errors: readonly string[];
  /** Permits that did not count, because a workload alone asked for what is not marked as harmless. */
  readonly withheld?: readonly string[];
  /** What policies that only observe would have changed; absent when nothing. */
  readonly observed?: Observed;
};

/** How a decision would have come out with the policies of `@mode("observe")` in force. */
export type Observed = {
  readonly effect: 'allow' | 'deny';
  /** Which of them would have made the difference. */
  readonly policies: readonly string[];
  /** Who would have been asked to approve, beyond those who are. */
  readonly approvals: readonly string[];
};

export type Decision =
  | { readonly effect: 'allow'; readonly permit: Permit; readonly grounds: Grounds }
  | {
      readonly effect: 'deny';
      readonly grounds: Grounds;
      /** What the caller can mend, where that is more than what policy says to anyone. */
      readonly told?: string;
    };

/** May this principal use this entry at all, whatever the arguments? */
export type Admission = { readonly admitted: boolean; readonly grounds: Grounds };
