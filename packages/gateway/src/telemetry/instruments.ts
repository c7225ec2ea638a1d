/** The port of `telemetry`: names and shapes of docs/reference, whatever collects them. One update per request. */

import type { FailureCode } from '../model/failure.ts';
import type { Revision } from '../model/revision.ts';
import type { ServerId } from '../model/target.ts';

export type ServerOperation = {
  readonly method: string;
  /** Only names that the catalog resolved; everything else is `_OTHER` (cardinality). */
  readonly tool?: string;
  readonly prompt?: string;
  readonly errorType?: string;
  readonly statusCode?: string;
  readonly revision: Revision;
  readonly seconds: number;
};

export type ClientOperation = {
  readonly server: ServerId;
  readonly method: string;
  readonly tool?: string;
  readonly errorType?: string;
  readonly transport: 'tcp' | 'pipe';
  readonly seconds: number;
};

export interface Instruments {
  /** `mcp.server.operation.duration`: client to us. */
  serverOperation(operation: ServerOperation): void;
  /** `mcp.client.operation.duration`: us to upstream. */
  clientOperation(operation: ClientOperation): void;
  decided(effect: 'allow' | 'deny'): void;
  /** Policies that only observe would have changed a decision; `effect` is what it would have been. */
  observed(effect: 'allow' | 'deny'): void;
  refused(code: FailureCode): void;
  /** The policy files changed: the new set decides, or it cannot be used. */
  policiesReloaded(result: 'swapped' | 'refused'): void;
  /** Is the set in force older than the files, because they cannot be used? */
  policiesRefused(refused: boolean): void;
  schemaRejected(server: ServerId): void;
  auditBacklog(records: number): void;
  auditFailed(): void;
  upstreamState(server: ServerId, state: string): void;
  breakerState(server: ServerId, state: string): void;
  retried(server: ServerId, because: FailureCode): void;
  processStarted(server: ServerId, kind: 'cold' | 'warm', seconds: number): void;
  streamOpened(): void;
  streamClosed(): void;
}
