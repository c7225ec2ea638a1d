/** An approval: a person's word on one permitted call, bound to exactly that call. */

import type { Approver } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import type { PrincipalKey, TenantId } from '../model/principal.ts';
import type { EntryKind, Risk } from '../model/target.ts';

/** Somebody, as pages and records show them. */
export type Person = {
  readonly key: PrincipalKey;
  readonly name: string;
  readonly issuer: string;
  readonly subject: string;
};

/**
 * `client`: the caller's own client said so inside the protocol, which an automatic client can do as well. `api`: with a
 * token or a key. `browser`: after a log-in with the identity provider, which alone satisfies a rule about high risk.
 */
export type Assertion = 'client' | 'api' | 'browser';

export type Verdict = 'approved' | 'declined';

export type ApprovalDecision = {
  readonly by: Person;
  readonly how: Assertion;
  readonly verdict: Verdict;
  readonly decidedAtMs: number;
};

/** What one determining permit demands, and what was said to it. */
export type ApprovalNeed = {
  readonly by: Approver;
  readonly policy: string;
  readonly description?: string;
  readonly decision?: ApprovalDecision;
};

/** What an approval is good for, and nothing else. */
export type ApprovalBinding = {
  readonly tenant: TenantId;
  readonly requester: PrincipalKey;
  /** `tool`, and the address `server/name`. */
  readonly kind: EntryKind;
  readonly address: string;
  /** Of the entry's definition when it was asked for: a tool that has changed since needs another approval. */
  readonly definitionHash: string;
  /** SHA-256 over the canonical arguments (RFC 8785), hex. */
  readonly argumentsDigest: string;
};

export type ApprovalStatus = 'pending' | 'approved' | 'declined' | 'used';

export type Approval = ApprovalBinding & {
  /** 128 random bits, base64url: what links and states name it by. Knowing it is no right to see it. */
  readonly id: string;
  readonly requestedBy: Person;
  readonly arguments: JsonObject;
  readonly risk: Risk;
  /** Approved when every need is; declined when one is. */
  readonly needs: readonly [ApprovalNeed, ...ApprovalNeed[]];
  readonly status: ApprovalStatus;
  readonly requestId: string;
  readonly createdAtMs: number;
  /** From then on it can neither be decided nor used. */
  readonly expiresAtMs: number;
  readonly usedAtMs?: number;
};
