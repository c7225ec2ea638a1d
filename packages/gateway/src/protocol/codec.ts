/**
 * The two translators, one pair per revision: a `ServerCodec` speaks to a client of that revision as its server, a
 * `ClientCodec` speaks to an upstream of that revision as its client. Pure: bytes and model values in, bytes and model
 * values out. `codecs.ts` is the only importer of the `rev-*` folders.
 */

import type { Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { Discovery, Notice, Outcome, UpstreamMessage } from '../model/outcome.ts';
import type { RequestMeta, ClientFacts } from '../model/request.ts';
import type { Era, Revision } from '../model/revision.ts';
import type { Entry } from '../model/target.ts';

export type JsonRpcId = string | number;

/** Values that the wire carries sealed. The entrypoint implements it; codecs only say where they stand. */
export interface Seals {
  cursor: {
    seal(cursor: { offset: number; generation: string }): string;
    /** Undefined when the text is not one of ours, expired or altered. */
    open(text: string): { cursor: { offset: number; generation: string }; sealedFor: string } | undefined;
  };
}

export type DecodedRequest = {
  readonly kind: 'request';
  readonly id: JsonRpcId;
  readonly method: string;
  readonly operation: Operation;
  readonly meta: RequestMeta;
  /** What the request itself says of its client: everything for modern, nothing for legacy (the session knows). */
  readonly client: Partial<Pick<ClientFacts, 'info' | 'capabilities'>>;
  readonly sealedFor: readonly string[];
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
  readonly headers: Readonly<Record<string, string>>;
  readonly body: EncodedMessage;
};

export type EncodeContext = {
  readonly id: JsonRpcId | null;
  /** Absent when the request could not be decoded. */
  readonly operation?: Operation;
  /** The entry a result came from, where there was one: decides projections for older clients. */
  readonly entry?: Entry;
  readonly aggregate: boolean;
  readonly seals: Pick<Seals, 'cursor'>['cursor'];
};

export interface ServerCodec {
  readonly era: Era;
  readonly revision: Revision;
  /** Never throws. */
  decode(message: JsonObject, seals: Seals): Decoded;
  /** Never throws. May await `rest` when a projection has to see the whole result, up to `maxBytes`. */
  encode(outcome: Outcome, context: EncodeContext): EncodedAnswer | Promise<EncodedAnswer>;
  encodeNotice(notice: Notice, progressToken: string | number | undefined): string;
}

export type UpstreamRequest = {
  readonly id: JsonRpcId;
  readonly operation: Operation;
  readonly meta: RequestMeta;
  readonly client: ClientFacts;
  /** Our own token for this call, when the caller wants progress. */
  readonly progressToken?: string | number;
  /** The tool's input schema, for `x-mcp-header`. */
  readonly inputSchema?: JsonObject;
  /** An upstream's own list cursor, when a listing is fetched page by page. */
  readonly upstreamCursor?: string;
};

export type EncodedUpstreamRequest = {
  readonly method: string;
  /** The whole JSON-RPC message. */
  readonly body: string;
  /** `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name`, `Mcp-Param-*`: HTTP only. */
  readonly headers: Readonly<Record<string, string>>;
};

/** A message from an upstream, told apart by its envelope. */
export type UpstreamAnswer =
  | { readonly kind: 'response'; readonly id: JsonRpcId; readonly message: UpstreamMessage }
  | {
      readonly kind: 'error';
      readonly id: JsonRpcId | null;
      readonly error: { code: number; message: string; data?: unknown };
    }
  | { readonly kind: 'request'; readonly id: JsonRpcId; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject };

export interface ClientCodec {
  readonly era: Era;
  readonly revision: Revision;
  encodeRequest(request: UpstreamRequest): EncodedUpstreamRequest;
  /** The outcome of an answer with a result. `input_required` and tasks are recognised here (modern only). */
  decodeResult(operation: Operation, message: UpstreamMessage): Outcome;
  decodeError(operation: Operation, error: { code: number; message: string; data?: unknown }): Failure;
  decodeNotice(method: string, params: JsonObject): Notice;
  /** A parsed `DiscoverResult` or `InitializeResult` in the modern vocabulary. */
  decodeDiscovery(result: JsonObject): Discovery;
}
