/** One call on its way to an upstream, and the function that makes it. */

import type { Intent } from './decision.ts';
import type { JsonObject } from './json.ts';
import type { Answers, ClientChannel, Outcome } from './outcome.ts';
import type { Operation } from './operation.ts';
import type { ClientFacts, RequestMeta } from './request.ts';
import type { Secret } from './secret.ts';
import type { Entry } from './target.ts';
import type { TaskStep } from './task.ts';
import type { AttemptFact } from './trail.ts';

/** The operation and the principal are the intent's: `intent.permit`. */
export type Call = {
  readonly requestId: string;
  readonly intent: Intent;
  readonly entry: Entry;
  readonly client: ClientFacts;
  readonly meta: RequestMeta;
  /** HTTP headers for the server beside what the codec writes, names and values in turn: the place in the trace. */
  readonly traceHeaders?: readonly string[];
  /** What is asked of the task that the permitted call has become, or that it is about. */
  readonly step?: TaskStep;
};

/** What a server is asked. A step is never more than the permit is for: its task came out of a call that was permitted. */
export const operationOf = ({ step, intent }: Call): Operation | TaskStep => step ?? intent.permit.operation;

export type SendOptions = {
  readonly answers?: Answers;
  readonly channel: ClientChannel;
  readonly signal: AbortSignal;
  /** Time left for the whole call, in milliseconds. */
  readonly timeoutMs: number;
  /** Where an upstream's own list goes on: only the fetching of a listing, page by page, sets it. */
  readonly upstreamCursor?: string;
  readonly watch?: CallWatch;
  /** The caller's own token, for the exchange at their issuer (RFC 8693). No upstream is ever given it. */
  readonly subject?: Secret;
  /** Somebody who waits for a task tells that its server is at work: the time for the whole begins anew. */
  readonly alive?: () => void;
};

/** Where a server is, as far as there is something to say. */
export type ServerPlace = {
  readonly transport: 'tcp' | 'pipe';
  readonly address?: string;
  readonly port?: number;
};

/** Is told of a call while it is made: for the record, the trace and the metrics. */
export interface CallWatch {
  /** Another attempt begins. */
  attempt(server: Entry['server'], place?: ServerPlace): AttemptWatch;
}

export interface AttemptWatch {
  /** `traceparent` and `tracestate` for the server, instead of what the client sent (SEP-414). Absent: those travel on. */
  readonly traceContext?: JsonObject;
  ended(end: Omit<AttemptFact, 'startedMs' | 'endedMs'>): void;
}

/** Never throws for what an upstream did: that is an outcome. */
export type Send = (call: Call, options: SendOptions) => Promise<Outcome>;

/** Once per attempt: timeout, retry, breaker, cache. Composed once at start. */
export type Interceptor = (next: Send) => Send;
