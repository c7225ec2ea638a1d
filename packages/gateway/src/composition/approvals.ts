/** Approvals: the rules over the storage that a configuration asks for, with every word said to them in the record. */

import { hash, randomBytes } from 'node:crypto';

import { digestOf } from '../audit/argument-digest.ts';
import type { ApprovalLog, ApprovalWord } from '../audit/audit-log.ts';
import type { ApprovalStore } from '../authz/approval-store.ts';
import { createApprovals, type ApprovalEvent, type WatchedApprovals } from '../authz/create-approvals.ts';
import type { Config } from '../config/config.ts';
import type { JsonObject } from '../model/json.ts';

export type ApprovalParts = {
  readonly config: Config;
  readonly store: ApprovalStore;
  readonly audit: ApprovalLog;
};

const ID_BYTES = 16;

export function composeApprovals({ config, store, audit }: ApprovalParts): WatchedApprovals {
  return createApprovals({
    store,
    now: Date.now,
    newId: () => randomBytes(ID_BYTES).toString('base64url'),
    digestArguments: wholeDigestOf,
    digest: (text) => hash('sha256', text),
    lifetimeMs: config.approvals.lifetimeMs,
    maxPendingPerRequester: config.approvals.maxPending,
    onDecision: (event) => audit.said(wordOf(event)),
  });
}

/** Where a person decides. Knowing the link is no right to: whoever opens it logs in. */
export const approvalLinks =
  (publicUrl: string) =>
  (id: string): string =>
    `${publicUrl}/approvals/${encodeURIComponent(id)}`;

const WHOLE = 'sha256:';

/** The record's digest, where it covers everything: an approval of how the arguments begin would be one of any end. */
function wholeDigestOf(args: JsonObject): string | undefined {
  const digest = digestOf(args);
  return digest.startsWith(WHOLE) ? digest.slice(WHOLE.length) : undefined;
}

function wordOf({ approval, by, how, verdict, atMs, fault }: ApprovalEvent): ApprovalWord {
  const { id, status, kind, address, risk, requestedBy, argumentsDigest, requestId } = approval;
  return {
    timeMs: atMs,
    by,
    how,
    verdict,
    ...(fault === undefined ? {} : { fault }),
    approval: { id, status, kind, address, risk, requestedBy: requestedBy.subject, argumentsDigest, requestId },
  };
}
