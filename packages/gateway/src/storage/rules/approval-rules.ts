/** What every store of approvals must agree on: which two ask for the same, and what a decision makes of one. Pure. */

import { hash } from 'node:crypto';

import type {
  Approval,
  ApprovalBinding,
  ApprovalDecision,
  ApprovalNeed,
  ApprovalStatus,
} from '../../authz/approval.ts';

/** One text for each binding, of a fixed length and without what it stands for. */
export function bindingKey(binding: ApprovalBinding): string {
  const { tenant, requester, kind, address, definitionHash, argumentsDigest } = binding;
  return hash('sha256', JSON.stringify([tenant, requester, kind, address, definitionHash, argumentsDigest]), 'hex');
}

/** Still good for its call: nobody needs another one. */
export const isOpen = ({ status, expiresAtMs }: Pick<Approval, 'status' | 'expiresAtMs'>, nowMs: number): boolean =>
  (status === 'pending' || status === 'approved') && nowMs < expiresAtMs;

/** Declined when one need is, approved when all are. */
export function statusOf(needs: readonly ApprovalNeed[]): Exclude<ApprovalStatus, 'used'> {
  if (needs.some(({ decision }) => decision?.verdict === 'declined')) return 'declined';
  return needs.every(({ decision }) => decision?.verdict === 'approved') ? 'approved' : 'pending';
}

/** Undefined when this approval cannot be decided so: not pending, expired, no such need, or decided before. */
export function withDecision(approval: Approval, index: number, decision: ApprovalDecision): Approval | undefined {
  const need = approval.needs[index];
  if (approval.status !== 'pending' || decision.decidedAtMs >= approval.expiresAtMs) return undefined;
  if (need === undefined || need.decision !== undefined) return undefined;
  const decided: ApprovalNeed = { ...need, decision };
  const [first, ...rest] = approval.needs;
  const needs: Approval['needs'] =
    index === 0 ? [decided, ...rest] : [first, ...rest.map((other, at) => (at + 1 === index ? decided : other))];
  return { ...approval, needs, status: statusOf(needs) };
}
