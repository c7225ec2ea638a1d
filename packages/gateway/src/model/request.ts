/**
 * A request on its way through the pipeline. Each step returns a richer type, so that a call that skipped a step does not
 * compile. `presented?: never` and `operation?: never` close the door that `Omit` alone leaves open: a spread would
 * otherwise smuggle the poorer fields into the richer type.
 */

import type { Intent, Permit } from './decision.ts';
import type { JsonObject } from './json.ts';
import type { Operation } from './operation.ts';
import type { LogLevel } from './log-level.ts';
import type { Answers } from './outcome.ts';
import type { Principal, PrincipalKey } from './principal.ts';
import type { Era, Revision } from './revision.ts';
import type { Secret } from './secret.ts';
import type { Endpoint, Target } from './target.ts';
import type { ApprovalFact } from './trail.ts';

/**
 * Who logged in with the identity provider, as a cookie carries it under our seal. Its claims were verified when it was made,
 * and are mapped to a principal each time it is used.
 */
export type BrowserSession = {
  /** Names the session where its end is remembered. */
  readonly id: string;
  readonly issuer: string;
  /** What the mapping reads: `sub`, the name, groups, tenant. */
  readonly claims: JsonObject;
  readonly expiresAtMs: number;
};

/** Credentials as presented, unverified. */
export type PresentedCredentials = {
  /** From `Authorization: Bearer`. Empty when the header is there and is no bearer token. */
  readonly bearer?: Secret;
  /**
   * The client certificate of the connection and what came with it; leaf first, each as DER, one object per connection. TLS
   * has proved that the client holds its key, and nothing more.
   */
  readonly certificates?: readonly Uint8Array[];
  /** What OpenSSL found wrong with their chain, as it names it: `CERT_HAS_EXPIRED`. */
  readonly certificateFault?: string;
  /** `X-Forwarded-Client-Cert`, verbatim. Whether its sender may be believed is decided by the peer's address. */
  readonly forwardedCertificate?: string;
  /** Opened from our seal. Our own pages and API pass it on; an MCP endpoint never does. */
  readonly browser?: BrowserSession;
};

/** Who the client says it is, and how it speaks. Self-reported but for `address`: never a ground for a decision. */
export type ClientFacts = {
  readonly era: Era;
  readonly revision: Revision;
  readonly info?: { readonly name: string; readonly version: string } & JsonObject;
  readonly capabilities: JsonObject;
  readonly address: string;
  /** Names a legacy or browser session in records, and opens nothing; the id or cookie itself is a bearer value. */
  readonly session?: string;
};

export type RequestMeta = {
  readonly progressToken?: string | number;
  /** The least grave log message that the client wants: its request's own word, or its session's. None: it wants none. */
  readonly logLevel?: LogLevel;
  /** `traceparent`, `tracestate`, `baggage` and every key we do not own: they travel on unchanged. */
  readonly vendor: JsonObject;
  /**
   * `Mcp-Param-*` as sent, by lower-case name without the prefix. Present, if only empty, exactly when the client must
   * mirror arguments into headers (2026-07-28 over HTTP): `checkParamHeaders` compares them once the tool is known.
   */
  readonly paramHeaders?: Readonly<Record<string, string>>;
};

/** What the trace alone tells of how a request came: read when it is traced, and only then. */
export interface Wire {
  /** The client's `id` of the JSON-RPC request. */
  readonly rpcId: string | number | undefined;
  /** The client's own, with `ClientFacts.address`. */
  readonly port: number | undefined;
  /** HTTP headers, verbatim: of whoever sent the request on, which need not be who made the call. */
  traceparent(): string | undefined;
  tracestate(): string | undefined;
}

export type InboundRequest = {
  /** Ours: in the log, the record, the trace and the answer to a failure. */
  readonly id: string;
  /** Of the trace that the request is part of, ours or the client's: 32 hexadecimal digits. */
  readonly traceId?: string;
  readonly wire?: Wire;
  /** `1.1` */
  readonly httpVersion?: string;
  /** Milliseconds since the epoch, and a monotonic reading of the same instant for durations. */
  readonly receivedAtMs: number;
  readonly startedMs: number;
  readonly endpoint: Endpoint;
  readonly presented: PresentedCredentials;
  readonly client: ClientFacts;
  readonly operation: Operation;
  readonly meta: RequestMeta;
  readonly answers?: Answers;
  /** For whom the sealed values in this request (session, cursor, state) were made. Anyone else is refused. */
  readonly sealedFor: readonly PrincipalKey[];
};

export type AuthenticatedRequest = Omit<InboundRequest, 'presented'> & {
  readonly presented?: never;
  readonly principal: Principal;
  /** The verified token of a caller who came with one: for the exchange at their issuer, which `call` hands it on for. */
  readonly subject?: Secret;
};

export type ResolvedRequest = AuthenticatedRequest & { readonly target: Target };

export type AuthorizedRequest = Omit<ResolvedRequest, 'operation' | 'target'> & {
  readonly operation?: never;
  readonly target?: never;
  readonly permit: Permit;
};

export type ApprovedRequest = AuthorizedRequest & {
  /** The approval that the call is made on, which the intent names; undefined where policy demanded none. */
  readonly approval: ApprovalFact | undefined;
};

export type ReadyRequest = ApprovedRequest & { readonly intent: Intent };
