/** An approval as the API shows it. Times are texts, keys of principals stay inside. */

import type { Approval, ApprovalNeed, Person, Verdict } from '../../authz/approval.ts';
import { approverText } from '../../model/decision.ts';
import type { JsonObject } from '../../model/json.ts';

export type ApprovalView = { readonly publicUrl: string; readonly nowMs: number };

export function approvalJson(approval: Approval, { publicUrl, nowMs }: ApprovalView): JsonObject {
  const { id, kind, address, requestedBy, risk, needs, requestId } = approval;
  return {
    id,
    status: statusOf(approval, nowMs),
    call: { kind, address, arguments: approval.arguments, argumentsDigest: `sha256:${approval.argumentsDigest}` },
    risk,
    requestedBy: personJson(requestedBy),
    needs: needs.map(needJson),
    requestId,
    createdAt: timeText(approval.createdAtMs),
    expiresAt: timeText(approval.expiresAtMs),
    ...(approval.usedAtMs === undefined ? {} : { usedAt: timeText(approval.usedAtMs) }),
    url: `${publicUrl}/approvals/${id}`,
  };
}

/** What was not used in time is over, however it was decided. */
export function statusOf({ status, expiresAtMs }: Approval, nowMs: number): Approval['status'] | 'expired' {
  return (status === 'pending' || status === 'approved') && expiresAtMs <= nowMs ? 'expired' : status;
}

const personJson = ({ name, issuer, subject }: Person): JsonObject => ({ name, issuer, subject });

const needJson = ({ by, policy, description, decision }: ApprovalNeed): JsonObject => ({
  by: approverText(by),
  policy,
  ...(description === undefined ? {} : { description }),
  ...(decision === undefined
    ? {}
    : {
        decision: {
          by: personJson(decision.by),
          how: decision.how,
          verdict: decision.verdict,
          decidedAt: timeText(decision.decidedAtMs),
        },
      }),
});

const timeText = (ms: number): string => new Date(ms).toISOString();

export const parseVerdict = ({ verdict }: JsonObject): Verdict | undefined =>
  verdict === 'approved' || verdict === 'declined' ? verdict : undefined;
