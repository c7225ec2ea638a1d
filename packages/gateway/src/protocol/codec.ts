/**
 * The two translators, one pair per revision: a `ServerCodec` speaks to a client of that revision as its server, a
 * `ClientCodec` speaks to an upstream of that revision as its client. Pure: bytes and model values in, bytes and model
 * values out. `codecs.ts` is the only importer of the `rev-*` folders.
 */

import type { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Cursor, Operation } from '../model/operation.ts';
import type { LogLevel } from '../model/log-level.ts';
import type { Answers, Continuation, Discovery, Notice, Outcome, UpstreamMessage } from '../model/outcome.ts';
import type { ClientFacts, RequestMeta } from '../model/request.ts';
import type { Result } from '../model/result.ts';
import type { Era, LegacyRevision, Revision } from '../model/revision.ts';
import type { Entry } from '../model/target.ts';
import type { TaskRef, TaskStep } from '../model/task.ts';
import type { JsonRpcId, RpcMessage } from './json-rpc.ts';

/** Values that the wire carries sealed. The entrypoint implements it; codecs only say where they stand. */
export interface Seals {
  readonly cursor: {
    seal(cursor: Cursor): string;
    /** Undefined when the text is not one of ours, expired or altered. */
    open(text: string): { readonly cursor: Cursor; readonly sealedFor: string } | undefined;
  };
  /** What the answers to a question belong to, good for the same request alone. */
  readonly state: {
    seal(continuation: Continuation, operation: Operation): string;
    /** The reason why it is not one of ours for this request is for our own eyes. */
    open(
      text: string,
      operation: Operation,
    ): Result<{ readonly continuation: Continuation; readonly sealedFor: string }, string>;
  };
  readonly task: {
    seal(ref: TaskRef): string;
    /** Undefined when the id is not one of ours for this endpoint, expired or altered. */
    open(taskId: string): { readonly ref: TaskRef; readonly sealedFor: string } | undefined;
  };
}

export type DecodeContext = {
  readonly seals: Seals;
  /** `McpHeaders.params`: becomes `meta.paramHeaders` for revisions that mirror arguments into headers. */
  readonly paramHeaders?: Readonly<Record<string, string>>;
};

export type DecodedRequest = {
  readonly kind: 'request';
  readonly id: JsonRpcId;
  readonly method: string;
  readonly operation: Operation;
  readonly meta: RequestMeta;
  /** What the request itself says of its client: everything for modern and for `initialize`, else nothing (the session knows). */
  readonly client: Partial<Pick<ClientFacts, 'info' | 'capabilities'>>;
  /** `initialize` only: the revision of the session to be. Its codec encodes the answer. */
  readonly negotiated?: LegacyRevision;
  readonly sealedFor: readonly string[];
  /** What came back for a question of ours (2026-07-28, basic/patterns/mrtr). */
  readonly answers?: Answers;
};

export type Decoded =
  | DecodedRequest
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject }
  /** A legacy client's answer to a question of ours. */
  | { readonly kind: 'response'; readonly id: JsonRpcId; readonly message: JsonObject }
  | { readonly kind: 'refused'; readonly id: JsonRpcId | null; readonly failure: Failure };

/** A JSON-RPC message ready to be written: the chunks in order, then `rest` when the result is still arriving. */
export type EncodedMessage = {
  readonly chunks: readonly (string | Uint8Array)[];
  readonly rest?: AsyncIterable<Uint8Array>;
};

/** How a finished exchange is written when no stream was opened: HTTP status, extra headers, body. */
export type EncodedAnswer = {
  readonly status: number;
  /** Lower-case names. `content-type` is the writer's to add. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: EncodedMessage;
};

export type FailureContext = {
  readonly id: JsonRpcId | null;
  /** Absent when the request could not be decoded. */
  readonly operation?: Operation;
  /** Ours. Goes into the error's `data.requestId`, so that a person can find the request in the log. */
  readonly requestId?: string;
};

export type EncodeContext = FailureContext & {
  /** The entry a result came from, where there was one: decides projections for older clients. */
  readonly entry?: Entry;
  readonly aggregate: boolean;
  readonly seals: Seals;
  /** The largest result that may be held to rewrite it for an older client; anything else streams. */
  readonly maxProjectedBytes: number;
};

export type NoticeContext = {
  /** The client's own token, when it asked for progress. */
  readonly progressToken?: string | number;
  /** The least level the client asked for. Without it no log notice is sent. */
  readonly logLevel?: LogLevel;
};

export interface ServerCodec {
  readonly era: Era;
  readonly revision: Revision;
  /** Never throws. */
  decode(message: RpcMessage, context: DecodeContext): Decoded;
  /** Never throws. A promise only when a projection has to see the whole of a result that is still arriving. */
  encode(outcome: Outcome, context: EncodeContext): EncodedAnswer | Promise<EncodedAnswer>;
  /** Our refusal, or the upstream's error, as this revision writes it. */
  encodeFailure(failure: Failure, context: FailureContext): EncodedAnswer;
  /** The JSON-RPC text on one line; undefined when this client must not see the notice. */
  encodeNotice(notice: Notice, context: NoticeContext): string | undefined;
}

/** What a server can be asked. */
export type UpstreamOperation = Operation | TaskStep;

export type UpstreamRequest = {
  readonly id: JsonRpcId;
  readonly operation: UpstreamOperation;
  /** The call shall become a task. Only 2025-11-25 has clients say so. */
  readonly asTask?: boolean;
  readonly meta: RequestMeta;
  readonly client: ClientFacts;
  /** Our own token for this call, when the caller wants progress. */
  readonly progressToken?: string | number;
  /** The tool's input schema, for `x-mcp-header`. */
  readonly inputSchema?: JsonObject;
  /** Answers to what this server asked before, and its own state. Modern only. */
  readonly answers?: { readonly responses: JsonObject; readonly state?: string };
  /** What the server may ask for. Modern only: a legacy session says it once. Default: nothing. */
  readonly capabilities?: JsonObject;
  /** An upstream's own list cursor, when a listing is fetched page by page. */
  readonly upstreamCursor?: string;
};

export type EncodedUpstreamRequest = {
  readonly method: string;
  /** The whole JSON-RPC message, on one line. */
  readonly body: string;
  /** `mcp-protocol-version`, `mcp-method`, `mcp-name`, `mcp-param-*`, lower-case: HTTP only. */
  readonly headers: Readonly<Record<string, string>>;
};

/** A JSON-RPC error object as an upstream sent it. */
export type UpstreamError = { readonly code: number; readonly message: string; readonly data?: Json };

/** A message from an upstream, told apart by its envelope. */
export type UpstreamAnswer =
  | { readonly kind: 'response'; readonly id: JsonRpcId; readonly message: UpstreamMessage }
  | { readonly kind: 'error'; readonly id: JsonRpcId | null; readonly error: UpstreamError }
  | { readonly kind: 'request'; readonly id: JsonRpcId; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject };

export interface ClientCodec {
  readonly era: Era;
  readonly revision: Revision;
  /** @throws Refusal `method-not-found` for an operation that this revision has no request for. */
  encodeRequest(request: UpstreamRequest): EncodedUpstreamRequest;
  /** The outcome of an answer with a result. `input_required` (modern only) and tasks are recognised here. */
  decodeResult(operation: UpstreamOperation, message: UpstreamMessage, asTask?: boolean): Outcome;
  decodeError(operation: UpstreamOperation, error: UpstreamError): Failure;
  decodeNotice(method: string, params: JsonObject): Notice;
  /** A parsed `DiscoverResult` or `InitializeResult` in the modern vocabulary. */
  decodeDiscovery(result: JsonObject): Discovery;
}

/** The opening of a legacy session, as the client of an upstream. */
export interface LegacyHandshake {
  /** The `initialize` request, offering the newest legacy revision and what the server may ask for: by default nothing. */
  initialize(id: JsonRpcId, capabilities?: JsonObject): string;
  /** The `notifications/initialized` text that ends the handshake. */
  readonly initialized: string;
  /** The revision the upstream chose, and what it says of itself. */
  decodeInitialize(
    result: JsonObject,
  ): Result<{ readonly revision: LegacyRevision; readonly discovery: Discovery }, Failure>;
}

export type { JsonRpcId } from './json-rpc.ts';
