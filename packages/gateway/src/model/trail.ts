/** What a request leaves behind as it passes the steps. Steps write facts; only `record` reads them. */

import type { Decision } from './decision.ts';
import type { FailureCode } from './failure.ts';
import type { Operation } from './operation.ts';
import type { Principal } from './principal.ts';
import type { Revision } from './revision.ts';
import type { Entry, ServerId } from './target.ts';

/** What the record says of the approval that a call was made on, waits for, or was refused for. */
export type ApprovalFact = {
  readonly id: string;
  readonly state: 'asked' | 'used' | 'refused';
  readonly decisions: readonly ApprovedBy[];
};

/** Whose word stands, for which approver, and how it was given. */
export type ApprovedBy = {
  /** The subject, as its issuer names it. */
  readonly by: string;
  readonly issuer: string;
  readonly need: string;
  readonly how: string;
  readonly verdict: string;
};

/** The steps of the pipeline, as the record, the trace and people name them. */
export type Step =
  | 'authenticate'
  | 'resolve'
  | 'admit'
  | 'check-scopes'
  | 'consume-quota'
  | 'answer'
  | 'pin'
  | 'validate'
  | 'authorize'
  | 'connect'
  | 'approve'
  | 'record-intent'
  | 'call'
  | 'administer';

/** A step and when it began, in monotonic milliseconds. It lasted until the next one, or the end. */
export type EnteredStep = { readonly step: Step; readonly atMs: number };

/** What kind of credential a call was made with; never anything that could be derived from it. */
export type CredentialKind =
  | 'none'
  | 'headers'
  | 'environment'
  | 'principal'
  | 'client-credentials'
  | 'token-exchange'
  | 'grant';

/** How a server is spoken to. `sse`: HTTP+SSE, the transport of 2024-11-05. */
export type Transport = 'http' | 'sse' | 'stdio';

/** The upstream that an attempt reached. Its name and version are its own word: nobody checked them. */
export type ReachedUpstream = {
  readonly revision: Revision;
  readonly transport: Transport;
  readonly name?: string;
  readonly version?: string;
};

/** One attempt to make a call: to which revision of the server, as whom, how long, and how it ended. */
export type AttemptFact = {
  /** Monotonic milliseconds. */
  readonly startedMs: number;
  readonly endedMs: number;
  /** Absent when no upstream was reached. */
  readonly upstream?: ReachedUpstream;
  readonly credential?: CredentialKind;
  readonly outcome: 'ok' | 'input_required' | 'tool_error' | FailureCode;
  /** As metrics and spans have it: the server's JSON-RPC code, `tool_error`, or our own failure's code. */
  readonly errorType?: string;
  /** The server's JSON-RPC code, where it answered with an error. */
  readonly statusCode?: string;
  /** What the server's process wrote to stderr meanwhile, when the attempt failed; cleaned, not redacted. */
  readonly stderr?: readonly string[];
};

export type Fact =
  | { readonly kind: 'authenticated'; readonly principal: Principal }
  | { readonly kind: 'resolved'; readonly entry: Entry }
  /** The operation with what the operator pinned. */
  | { readonly kind: 'pinned'; readonly operation: Operation }
  | { readonly kind: 'decided'; readonly decision: Decision }
  | { readonly kind: 'listed'; readonly shown: number; readonly hidden: number }
  | { readonly kind: 'approval'; readonly approval: ApprovalFact }
  | { readonly kind: 'intended'; readonly sequence: number }
  /** Another server answered than the one that was asked for. */
  | { readonly kind: 'fell-back'; readonly server: ServerId }
  /** Something is held for as long as the request lasts. */
  | { readonly kind: 'holding'; readonly release: () => void };

export interface Trail {
  note(fact: Fact): void;
}
