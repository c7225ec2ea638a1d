/** Approvals of this process alone: they end with it. */

import type { Approval } from '../../authz/approval.ts';
import type { ApprovalStore } from '../../authz/approval-store.ts';
import { bindingKey, isOpen, withDecision } from '../rules/approval-rules.ts';

export type MemoryApprovalStoreOptions = { readonly maxApprovals?: number };

/** Holds at most `maxApprovals` (default 10,000): the oldest that are over go first, and while all are open it rejects more. */
export function createMemoryApprovalStore({ maxApprovals = 10_000 }: MemoryApprovalStoreOptions = {}): ApprovalStore {
  const approvals = new Map<string, Approval>();
  /** Of what is open, by binding. */
  const ids = new Map<string, string>();

  const find = (tenant: string, id: string): Approval | undefined => {
    const approval = approvals.get(id);
    return approval?.tenant === tenant ? approval : undefined;
  };
  const makeRoom = (nowMs: number): void => {
    if (approvals.size < maxApprovals) return;
    const over = [...approvals.values()].find((approval) => !isOpen(approval, nowMs));
    if (over === undefined) throw new Error(`The memory holds ${maxApprovals} open approvals and no more.`);
    approvals.delete(over.id);
    if (ids.get(bindingKey(over)) === over.id) ids.delete(bindingKey(over));
  };

  return {
    async open(approval) {
      const binding = bindingKey(approval);
      const known = approvals.get(ids.get(binding) ?? '');
      if (known !== undefined && isOpen(known, approval.createdAtMs)) return known;
      makeRoom(approval.createdAtMs);
      approvals.set(approval.id, approval);
      ids.set(binding, approval.id);
      return approval;
    },
    get: async (tenant, id) => find(tenant, id),
    list: async ({ tenant, status, validAtMs, limit }) =>
      [...approvals.values()]
        .filter((one) => one.tenant === tenant && one.status === status && one.expiresAtMs > validAtMs)
        .toSorted((one, other) => other.createdAtMs - one.createdAtMs || (one.id < other.id ? 1 : -1))
        .slice(0, limit),
    async decide(tenant, id, index, decision) {
      const approval = find(tenant, id);
      const decided = approval === undefined ? undefined : withDecision(approval, index, decision);
      if (decided !== undefined) approvals.set(id, decided);
      return decided;
    },
    async use(tenant, id, usedAtMs) {
      const approval = find(tenant, id);
      if (approval?.status !== 'approved' || usedAtMs >= approval.expiresAtMs) return false;
      approvals.set(id, { ...approval, status: 'used', usedAtMs });
      return true;
    },
  };
}
