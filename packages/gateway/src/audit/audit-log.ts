/** The port of `audit`: what happened, in a record that can be proved. */

import type { Intent } from '../model/decision.ts';
import type { Failure } from '../model/failure.ts';
import type { Decision } from '../model/decision.ts';
import type { Principal } from '../model/principal.ts';
import type { AuthorizedRequest, InboundRequest } from '../model/request.ts';
import type { Entry } from '../model/target.ts';

/** One finished request, as the trail tells it. The sink turns it into the record's wire form. */
export type AuditEvent = {
  readonly request: Omit<InboundRequest, 'presented'>;
  readonly principal?: Principal;
  readonly entry?: Entry;
  readonly decision?: Decision;
  readonly intentSequence?: number;
  readonly failure?: Failure;
  /** `tool_error` is a tool that ran and said that it failed. */
  readonly outcome: 'ok' | 'tool_error' | 'input_required' | 'refused' | 'failed';
  readonly durationMs: number;
  readonly resultBytes?: number;
};

export interface AuditLog {
  /**
   * The intent to make a call. Resolves when it is durable (fsynced, group commit); for a target the operator marked
   * read-only it returns at once, because the outcome's record is enough.
   *
   * @throws Refusal `record-unavailable`
   */
  intend(request: AuthorizedRequest): Intent | Promise<Intent>;
  /** The sequence number an intent was recorded under, where it was. */
  sequenceOf(intent: Intent): number | undefined;
  /** Queues the record; it is on disk within a batch. Nothing is dropped: at the bound, `intend` refuses new calls. */
  append(event: AuditEvent): void;
  /** Writes and syncs what is queued. */
  close(): Promise<void>;
}
