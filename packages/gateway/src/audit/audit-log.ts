/** The port of `audit`: what happened, in a record that can be proved. */

import type { Intent } from '../model/decision.ts';
import type { Failure } from '../model/failure.ts';
import type { Decision } from '../model/decision.ts';
import type { Principal } from '../model/principal.ts';
import type { ApprovedRequest, InboundRequest } from '../model/request.ts';
import type { Entry, EntryKind, ServerId } from '../model/target.ts';
import type { ApprovalFact, AttemptFact, EnteredStep } from '../model/trail.ts';

/** One finished request, as the trail tells it. The sink turns it into the record's wire form. */
export type AuditEvent = {
  readonly request: Omit<InboundRequest, 'presented'>;
  readonly principal?: Principal;
  readonly entry?: Entry;
  readonly decision?: Decision;
  /** What it was made on, waits for, or was refused for. */
  readonly approval?: ApprovalFact;
  readonly intentSequence?: number;
  readonly failure?: Failure;
  /** `tool_error` is a tool that ran and said that it failed. */
  readonly outcome: 'ok' | 'tool_error' | 'input_required' | 'refused' | 'failed';
  readonly durationMs: number;
  readonly resultBytes?: number;
  /** Its bodies are to be kept: a record of what became of them follows. */
  readonly bodies?: true;
  /** Of the result as the server wrote it; only where the operator wants digests of results. */
  readonly resultDigest?: string;
  /** The answer came from a cache and is so old; no server was asked. */
  readonly cached?: { readonly ageMs: number };
  /** The server that answered instead of the one asked for. */
  readonly fallback?: ServerId;
  /** The steps it took. Times are monotonic, as `request.startedMs` is. */
  readonly steps?: readonly EnteredStep[];
  /** Those that ended, up to a bound. */
  readonly attempts?: readonly AttemptFact[];
  /** All of them. */
  readonly attempted?: number;
};

export interface AuditLog {
  /**
   * The intent to make a call. Resolves when it is durable (fsynced, group commit); for a target the operator marked
   * read-only it returns at once, because the outcome's record is enough.
   *
   * @throws Refusal `record-unavailable`
   */
  intend(request: ApprovedRequest): Intent | Promise<Intent>;
  /** The sequence number an intent was recorded under, where it was. */
  sequenceOf(intent: Intent): number | undefined;
  /** Queues the record; it is on disk within a batch. Nothing is dropped: at the bound, `intend` refuses new calls. */
  append(event: AuditEvent): void;
  /** Writes and syncs what is queued. */
  close(): Promise<void>;
}

/** Somebody's word on an approval, or an attempt at one that was not theirs to say. */
export type ApprovalWord = {
  readonly timeMs: number;
  readonly by: Principal;
  readonly verdict: string;
  /** `client`, `api` or `browser`. */
  readonly how: string;
  /** Why it does not count. */
  readonly fault?: string;
  readonly approval: {
    readonly id: string;
    readonly status: string;
    readonly kind: EntryKind;
    /** `server/name` */
    readonly address: string;
    readonly risk: string;
    readonly requestedBy: string;
    /** SHA-256 of the canonical arguments, hex: the same that stands in the call's own records. */
    readonly argumentsDigest: string;
    /** Of the request that asked for it: what the records of the call are found by. */
    readonly requestId: string;
  };
};

export interface ApprovalLog {
  /** Queues the record, as `append` does. */
  said(word: ApprovalWord): void;
}
