/** The port for approvals that have to be remembered: pending and decided ones survive a restart where the adapter does. */

import type { TenantId } from '../model/principal.ts';
import type { Approval, ApprovalDecision, ApprovalStatus } from './approval.ts';

export type ApprovalFilter = {
  readonly tenant: TenantId;
  readonly status: ApprovalStatus;
  /** Those that expire later than this. */
  readonly validAtMs: number;
  readonly limit: number;
};

/** Every method rejects when the store cannot be reached; none of them answers from memory. */
export interface ApprovalStore {
  /**
   * The approval that is open (`pending` or `approved`, not expired at `createdAtMs`) for the same binding, else this one,
   * stored. Two callers at once get the same one.
   */
  open(approval: Approval): Promise<Approval>;
  get(tenant: TenantId, id: string): Promise<Approval | undefined>;
  /** The newest first. */
  list(filter: ApprovalFilter): Promise<readonly Approval[]>;
  /**
   * Adds a decision to the need at `index` and derives the status, atomically. Undefined when the approval is not pending,
   * has expired at `decidedAtMs`, or that need was decided before.
   */
  decide(tenant: TenantId, id: string, index: number, decision: ApprovalDecision): Promise<Approval | undefined>;
  /** `approved` to `used`, atomically, once. False when it is not approved, was used, or has expired at `usedAtMs`. */
  use(tenant: TenantId, id: string, usedAtMs: number): Promise<boolean>;
}
