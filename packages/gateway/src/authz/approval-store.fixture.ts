/** An approval store in memory for the tests of approvals: the rules of the port, and nothing else. */

import type { Approval, ApprovalNeed } from './approval.ts';
import { bindsTo } from './approval-rules.ts';
import type { ApprovalStore } from './approval-store.ts';

export function createMapStore(): ApprovalStore & { readonly kept: Map<string, Approval> } {
  const kept = new Map<string, Approval>();
  const find = (tenant: string, id: string): Approval | undefined => {
    const approval = kept.get(id);
    return approval?.tenant === tenant ? approval : undefined;
  };
  return {
    kept,
    async open(approval) {
      const isOpen = (each: Approval): boolean =>
        (each.status === 'pending' || each.status === 'approved') && each.expiresAtMs > approval.createdAtMs;
      const same = [...kept.values()].find((each) => isOpen(each) && bindsTo(each, approval));
      if (same === undefined) kept.set(approval.id, approval);
      return same ?? approval;
    },
    async get(tenant, id) {
      return find(tenant, id);
    },
    async list({ tenant, status, validAtMs, limit }) {
      return [...kept.values()]
        .filter((each) => each.tenant === tenant && each.status === status && each.expiresAtMs > validAtMs)
        .toSorted((a, b) => b.createdAtMs - a.createdAtMs)
        .slice(0, limit);
    },
    async decide(tenant, id, index, decision) {
      const approval = find(tenant, id);
      const need = approval?.needs[index];
      if (approval === undefined || need === undefined || need.decision !== undefined) return undefined;
      if (approval.status !== 'pending' || approval.expiresAtMs <= decision.decidedAtMs) return undefined;
      const decided = (each: ApprovalNeed, at: number): ApprovalNeed => (at === index ? { ...each, decision } : each);
      const [first, ...others] = approval.needs;
      const needs: Approval['needs'] = [decided(first, 0), ...others.map((each, at) => decided(each, at + 1))];
      const allApproved = needs.every((each) => each.decision?.verdict === 'approved');
      const status = decision.verdict === 'declined' ? 'declined' : allApproved ? 'approved' : 'pending';
      const next = { ...approval, needs, status } as const;
      kept.set(id, next);
      return next;
    },
    async use(tenant, id, usedAtMs) {
      const approval = find(tenant, id);
      if (approval?.status !== 'approved' || approval.expiresAtMs <= usedAtMs) return false;
      kept.set(id, { ...approval, status: 'used', usedAtMs });
      return true;
    },
  };
}
