/** What became of an operation. */

import type { Failure } from './failure.ts';
import type { JsonObject } from './json.ts';
import type { LogLevel } from './log-level.ts';
import type { Cursor, ListKind } from './operation.ts';
import type { Era } from './revision.ts';
import type { Entry, ServerId } from './target.ts';
import type { TaskRef } from './task.ts';

export type Span = { readonly start: number; readonly end: number };

/**
 * A JSON-RPC response as an upstream wrote it. `head` holds at least everything up to the marks; when `rest` is absent it
 * is the whole message. Offsets count bytes of `head`.
 */
export type UpstreamMessage = {
  readonly era: Era;
  readonly head: Uint8Array;
  readonly rest?: AsyncIterable<Uint8Array>;
  readonly id: Span;
  /** Where the result object's `{` stands. */
  readonly resultStart: number;
  /** Where the result object ends (exclusive); absent when it lies in `rest`. */
  readonly resultEnd?: number;
  /** Members of the result that the scan saw in `head` at depth one, with the span of key, colon and value. */
  readonly members: ReadonlyMap<string, Span & { readonly valueStart: number }>;
};

/** A result: kept as the upstream wrote it and parsed only if someone must look, or made by us. */
export type Raw =
  | { readonly kind: 'message'; readonly message: UpstreamMessage }
  | { readonly kind: 'value'; readonly value: JsonObject };

/** `ttlMs` and `cacheScope` of MCP 2026-07-28, server/utilities/caching. */
export type Freshness = { readonly ttlMs: number; readonly scope: 'public' | 'private' };

export type ListPage = {
  readonly of: ListKind;
  readonly entries: readonly Entry[];
  readonly next?: Cursor;
  readonly freshness: Freshness;
  /** Servers whose entries could not be fetched: what the list lacks. */
  readonly missing: readonly ServerId[];
};

/** What a server says of itself, in the modern vocabulary. */
export type Discovery = {
  readonly serverInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly instructions?: string;
  readonly freshness: Freshness;
};

export type ReplicaId = string;

/** What the person's answer belongs to. Plain inside; sealed into `requestState` by the entrypoint. */
export type Continuation =
  | { readonly kind: 'upstream'; readonly server: ServerId; readonly version: string; readonly state?: string }
  | {
      readonly kind: 'parked';
      readonly server: ServerId;
      readonly version: string;
      readonly owner: ReplicaId;
      readonly parkedCallId: string;
      /** Whose approvals the call was made on, as `approvalsOf` words them: good for the same call, which goes on. */
      readonly approvedBy?: string;
    }
  /** `linkGiven`: the person has the link already; what is waited for is somebody's word. */
  | { readonly kind: 'approval'; readonly approvalId: string; readonly linkGiven?: true }
  /** The call has become a task at its server, and waits there for an answer. `waitId` names whoever waits for the client. */
  | {
      readonly kind: 'task';
      readonly ref: TaskRef;
      readonly waitId: string;
      /** How far the call was said to be, so that its progress goes on from there. */
      readonly reached?: number;
    }
  /** A person's consent at a server: a newer one than it refused, or one that is good for more. */
  | {
      readonly kind: 'connect';
      readonly server: ServerId;
      readonly linkGiven?: true;
      readonly sinceMs?: number;
      readonly scopes?: readonly string[];
    };

/** What came back for a question. `responses` has the person's answers under the question's keys: anyone can have made them. */
export type Answers = {
  readonly continuation?: Continuation;
  readonly responses: JsonObject;
  /** Why the state that the request carried is none of ours: whoever sent it is refused as soon as it is known who. */
  readonly fault?: string;
};

/** Keys are the server's; each value is a bare `{method, params}` (MCP 2026-07-28, multi-round-trip requests). */
export type InputRequests = Readonly<Record<string, { readonly method: string; readonly params: JsonObject }>>;

export type InputRequired = {
  readonly kind: 'input-required';
  readonly requests: InputRequests;
  readonly continuation?: Continuation;
  /** A server's own, as it came; the continuation that is made of it says whose it is. */
  readonly state?: string;
  /** How the call ends for a client that turns out not to answer. */
  readonly otherwise?: Failure;
};

export type Outcome =
  /** `cachedMs`: an answer of so long ago, because its server cannot be asked now. */
  | { readonly kind: 'complete'; readonly result: Raw; readonly cachedMs?: number }
  | { readonly kind: 'listed'; readonly page: ListPage }
  | { readonly kind: 'discovered'; readonly discovery: Discovery }
  | InputRequired
  /** In the words of the extension, as its server has it; `ref` says which it is, once that is known. */
  | { readonly kind: 'task'; readonly task: JsonObject; readonly ref?: TaskRef }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What a server tells the caller while the call runs. The entrypoint adds the client's own progress token. */
export type Notice =
  | { readonly kind: 'progress'; readonly params: JsonObject }
  | { readonly kind: 'log'; readonly params: JsonObject }
  | { readonly kind: 'other'; readonly method: string; readonly params: JsonObject };

/** Back to the caller while the call runs. `notify` returns a promise only when the client reads too slowly. */
export interface ClientChannel {
  readonly logLevel?: LogLevel;
  readonly wantsProgress: boolean;
  notify(notice: Notice): Promise<void> | undefined;
}

/** What one server offers, fetched whole: the catalog is made of these. */
export type Listing = {
  readonly era: Era;
  readonly discovery: Discovery;
  readonly lists: Readonly<Record<ListKind, readonly ListedItem[]>>;
  readonly freshness: Freshness;
};

/** One definition, parsed, and its original text. */
export type ListedItem = { readonly definition: JsonObject; readonly text: string };
