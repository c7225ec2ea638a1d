/**
 * The port for whoever has to have a call approved, and for whoever approves it. The rules live behind it: nobody outside
 * decides who may say yes.
 */

import type { Permit } from '../model/decision.ts';
import type { Principal } from '../model/principal.ts';
import type { Result } from '../model/result.ts';
import type { Approval, Assertion, Verdict } from './approval.ts';

/**
 * `unknown` also stands for an approval that the viewer may not know of. `own-request`: four eyes are wanted. `not-asked`:
 * none of the open needs is for this person. `needs-browser`: high risk is approved after a log-in in the browser only.
 */
export type DecisionFault = 'unknown' | 'expired' | 'already-decided' | 'own-request' | 'not-asked' | 'needs-browser';

export type DecideApproval = {
  readonly by: Principal;
  readonly how: Assertion;
  readonly verdict: Verdict;
};

/** Every method rejects with a Refusal `approvals-unavailable` when the store cannot be reached. */
export interface Approvals {
  /** The approval for exactly this permitted call: the one that is open for it, or a new one. */
  open(permit: Permit, requestId: string): Promise<Approval>;
  /** Undefined unless the viewer asked for it, or may decide it. */
  get(id: string, viewer: Principal): Promise<Approval | undefined>;
  /** What waits for this person's word. */
  waitingFor(viewer: Principal): Promise<readonly Approval[]>;
  decide(id: string, decision: DecideApproval): Promise<Result<Approval, DecisionFault>>;
  /** Uses it up for exactly this permitted call. False when it is not approved for it, was used, or has expired. */
  use(id: string, permit: Permit): Promise<boolean>;
}
