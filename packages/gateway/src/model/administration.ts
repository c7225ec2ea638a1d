/**
 * What the gateway itself can be asked to do, beside passing calls on: may somebody call something, what waits for my word,
 * and that word; what was done, what it was worth, and what is going on. These are operations like any other, so they are authenticated, judged by policy and recorded.
 */

import type { FailureCode } from './failure.ts';
import type { JsonObject } from './json.ts';
import type { Month } from './month.ts';
import type { Operation } from './operation.ts';
import type { ServerId } from './target.ts';

/** Somebody other than the caller, as the caller describes them: nothing of it is verified, nothing of it is a right. */
export type AskedSubject = {
  readonly kind: 'user' | 'workload';
  readonly issuer: string;
  readonly subject: string;
  /** As policies name people of other tenants. Only the caller's own is ever answered for. */
  readonly tenant?: string;
  readonly name?: string;
  readonly groups?: readonly string[];
  readonly scopes?: readonly string[];
  readonly clientId?: string;
  readonly claims?: JsonObject;
};

/** May the subject do this? */
export type AccessQuestion = {
  /** Absent: the caller. */
  readonly subject?: AskedSubject;
  readonly server: ServerId;
  /** With the server's own name for it. */
  readonly operation: Extract<Operation, { kind: 'call-tool' | 'get-prompt' | 'read-resource' }>;
  /** False: the arguments are not known yet, so the question is whether any could be allowed, as for a list. */
  readonly argumentsKnown: boolean;
  /** What the client would call itself. */
  readonly surface?: string;
};

/** When to stop in the middle of many questions (OpenID AuthZEN 1.0, evaluations_semantic). */
export type AskUntil = 'all' | 'first-deny' | 'first-permit';

/** `decision` is whether a permit would be made; where there are `approvals`, the call then waits for them. */
export type AccessAnswer = {
  readonly decision: boolean;
  /** How the call would be refused, and in which words. */
  readonly reason?: FailureCode;
  readonly message?: string;
  /** Who would have to approve: `caller`, `group:dba`. */
  readonly approvals: readonly string[];
  /** Only for who may ask about others: the policies that determine the answer. */
  readonly policies?: readonly string[];
};

/** Which records. Patterns and words are those of `sallyport audit search`. */
export type AuditAsked = {
  readonly who?: string;
  readonly tool?: string;
  readonly server?: string;
  readonly client?: string;
  /** The agent's, as its client claimed it. */
  readonly run?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly decision?: 'allowed' | 'denied';
  readonly outcome?: string;
  readonly request?: string;
  readonly text?: string;
};

export type UsageBy = 'server' | 'tool' | 'user';

export type ReadingAct =
  /** A page of the record, newest first; with `intents`, all that there is of one request. */
  | {
      readonly name: 'readAudit';
      readonly asked: AuditAsked;
      readonly intents: boolean;
      readonly limit: number;
      readonly after?: string;
    }
  /** The record as it grows. */
  | { readonly name: 'readAudit'; readonly asked: AuditAsked; readonly follow: true }
  /** What was sent and what came back, where that is kept. */
  | { readonly name: 'readAuditBodies'; readonly request: string }
  | { readonly name: 'readUsage'; readonly month: Month; readonly by: UsageBy }
  | { readonly name: 'readLive' }
  /** What servers are called with: owners, ages and ends, never a value. */
  | { readonly name: 'readCredentials' };

export type AdministrativeAct =
  | { readonly name: 'askAccess'; readonly questions: readonly AccessQuestion[]; readonly until: AskUntil }
  | { readonly name: 'askAccessOfOthers'; readonly questions: readonly AccessQuestion[]; readonly until: AskUntil }
  /** Without an id: what waits for the caller's word. */
  | { readonly name: 'readApprovals'; readonly id?: string }
  | { readonly name: 'decideApproval'; readonly id: string; readonly verdict: 'approved' | 'declined' }
  /** Of people's log-ins for servers, in the caller's own tenant; nothing named: all of them. */
  | { readonly name: 'revokeCredentials'; readonly user?: string; readonly server?: ServerId }
  /** Of the caller's own tenant. */
  | ReadingAct
  /** The same of every tenant, and of what belongs to none. It needs both permits. */
  | { readonly name: 'readAllTenants'; readonly of: ReadingAct };

export type AdministrativeActName = AdministrativeAct['name'];

/** What an act is called in records, metrics and logs, where calls have their MCP method. */
const ADMINISTRATIVE_METHODS = {
  askAccess: 'access/evaluate',
  askAccessOfOthers: 'access/evaluate',
  readApprovals: 'approvals/read',
  decideApproval: 'approvals/decide',
  revokeCredentials: 'credentials/revoke',
  readAudit: 'audit/read',
  readAuditBodies: 'audit/bodies',
  readUsage: 'usage/read',
  readLive: 'live/read',
  readCredentials: 'credentials/read',
} as const satisfies Record<Exclude<AdministrativeActName, 'readAllTenants'>, string>;

export const administrativeMethod = (act: AdministrativeAct): string =>
  ADMINISTRATIVE_METHODS[act.name === 'readAllTenants' ? act.of.name : act.name];
