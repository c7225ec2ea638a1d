/** The port of tracing: one span for a request, one for each step, one for each attempt to reach a server. */

import type { ServerPlace } from '../model/call.ts';
import type { JsonObject } from '../model/json.ts';
import type { InboundRequest } from '../model/request.ts';
import type { Entry, ServerId } from '../model/target.ts';
import type { AttemptFact, Step } from '../model/trail.ts';
import type { ServerOperation } from './instruments.ts';

/** A step and when it began, in monotonic milliseconds. It lasted until the next one, or the end. */
export type StepTime = { readonly step: Step; readonly atMs: number };

/** What of a request its spans tell. Never its credentials. */
export type TracedRequest = Omit<InboundRequest, 'presented'>;

export type AttemptStart = {
  readonly server: ServerId;
  readonly place: ServerPlace | undefined;
  readonly entry: Entry | undefined;
  readonly startedMs: number;
  /** The step that makes it. */
  readonly within: StepTime | undefined;
};

export interface AttemptTrace {
  /** `traceparent` and `tracestate` for the server: the span of this attempt is the parent of what it does. */
  readonly context: JsonObject;
  ended(attempt: AttemptFact): void;
}

export type RequestEnd = {
  /** As the metrics have it. */
  readonly operation: ServerOperation;
  /** Of the model, or how it went well. */
  readonly outcome: string;
  readonly entry: Entry | undefined;
  readonly steps: readonly StepTime[];
  readonly endedMs: number;
};

export interface RequestTrace {
  readonly traceId: string;
  attempt(start: AttemptStart): AttemptTrace;
  ended(end: RequestEnd): void;
}

export interface Traces {
  /** Undefined for a request that is not traced: nothing is made for it. */
  begin(request: TracedRequest): RequestTrace | undefined;
  /** Sends what was not sent yet, and waits for that within a bound. */
  close(): Promise<void>;
}
