/** The port of `telemetry`: names and shapes of docs/reference, whatever collects them. One update per request. */

import type { ServerPlace } from '../model/call.ts';
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
  /** `1.1` */
  readonly httpVersion?: string;
  readonly seconds: number;
};

export type ClientOperation = ServerPlace & {
  readonly server: ServerId;
  readonly method: string;
  readonly tool?: string;
  readonly prompt?: string;
  readonly errorType?: string;
  readonly statusCode?: string;
  /** Absent when the server was not reached. */
  readonly revision?: Revision;
  readonly seconds: number;
};

export type ClientSession = ServerPlace & {
  readonly server: ServerId;
  readonly revision: Revision;
  readonly seconds: number;
};

/** A legacy client's session, as its id tells. */
export type SessionSeen = { readonly id: string; readonly startedAtMs: number; readonly revision: Revision };

export type SinkLag = { readonly lagRecords: number; readonly lagSeconds: number };

export interface Instruments {
  /** `mcp.server.operation.duration`: client to us. */
  serverOperation(operation: ServerOperation): void;
  /** `mcp.client.operation.duration`: us to upstream. */
  clientOperation(operation: ClientOperation): void;
  /** A request within it arrived. */
  sessionUsed(session: SessionSeen): void;
  sessionEnded(id: string): void;
  /** Ours with a legacy server is over. */
  clientSessionEnded(session: ClientSession): void;
  /** A tool's result left. */
  answered(server: ServerId, tool: string, bytes: number): void;
  decided(effect: 'allow' | 'deny'): void;
  /** Policies that only observe would have changed a decision; `effect` is what it would have been. */
  observed(effect: 'allow' | 'deny'): void;
  refused(code: FailureCode): void;
  /** `limit` as the operator wrote it. */
  quotaRefused(limit: string): void;
  /** Somebody's word on an approval, which counts. */
  approvalDecided(verdict: string, how: string): void;
  /** The policy files changed: the new set decides, or it cannot be used. */
  policiesReloaded(result: 'swapped' | 'refused'): void;
  /** Is the set in force older than the files, because they cannot be used? */
  policiesRefused(refused: boolean): void;
  schemaRejected(server: ServerId): void;
  /** By a successful call of a tool, as its owner estimates. */
  minutesSaved(server: ServerId, tool: string, minutes: number): void;
  auditBacklog(records: number): void;
  auditFailed(): void;
  /** Does the file refuse records at present? */
  auditFailing(failing: boolean): void;
  /** Bodies of one call: in the storage, not kept on purpose or for want of time, or lost. */
  bodies(state: 'stored' | 'withheld' | 'lost'): void;
  /** A sink of the record is there; what it lags behind is asked for when somebody reads the metrics. */
  auditSink(sink: string, lag: () => SinkLag): void;
  auditSinkFailed(sink: string): void;
  /** Records that a sink will never take, or may not have taken: they are set aside. */
  auditSinkRejected(sink: string, records: number): void;
  /** Records that were gone from the files before the sink could have them. */
  auditSinkMissed(sink: string, records: number): void;
  upstreamState(server: ServerId, state: string): void;
  breakerState(server: ServerId, state: string): void;
  retried(server: ServerId, because: FailureCode): void;
  /** A log message of a server that could have been anybody's reached nobody. */
  logDropped(server: ServerId): void;
  processStarted(server: ServerId, kind: 'cold' | 'warm', seconds: number): void;
  streamOpened(): void;
  streamClosed(): void;
  /** A client was told of a change. */
  changeTold(of: 'tools' | 'prompts' | 'resources' | 'resource'): void;
  /** What there can be called has changed. */
  catalogChanged(): void;
  /** A batch for the collector. */
  exported(signal: string, result: 'sent' | 'failed'): void;
}

type Numbers = Readonly<Record<string, number>>;

/** What is looked at when somebody collects, and costs nothing before. */
export type MetricSources = {
  readonly connections: () => number | Promise<number>;
  readonly calls: () => number;
  readonly approvalsPending: () => number;
  readonly parkedCalls: () => number;
  /** By era. */
  readonly subscriptions: () => Numbers;
  readonly feeds: () => ReadonlyMap<ServerId, number>;
  /** By server, then by state. */
  readonly upstreams: () => ReadonlyMap<ServerId, { readonly inFlight: number; readonly states: Numbers }>;
  readonly catalog: () => { readonly version: number; readonly problems: Numbers };
  /** By server: tools whose definition is not the first that was seen. */
  readonly drift: () => ReadonlyMap<ServerId, number>;
  /** Undefined where the operating system does not tell. CPU never goes down. */
  readonly processes: () => Promise<ReadonlyMap<ServerId, ProcessUsage> | undefined>;
};

export type ProcessUsage = { readonly cpuSeconds: number; readonly residentBytes: number };
