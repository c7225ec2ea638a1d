/**
 * The front door: MCP over HTTP on `node:http`, by hand because every microsecond here is paid by every call. It speaks
 * HTTP and the wire formats; what a request may do is the pipeline's matter.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { BrowserLogin } from '../authn/browser-login.ts';
import type { Consents } from '../credential/consents.ts';
import type { NoteEvent } from '../model/event.ts';
import { failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { ReplicaId } from '../model/outcome.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { classify } from '../protocol/classify.ts';
import type { Sealer } from '../seal/sealer.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import { receiveApi } from './api/receive-api.ts';
import { admitArrival } from './admit-arrival.ts';
import type { Arrival, EndpointArrival } from './arrival.ts';
import { isForEndpoint, isForUs, refuse, respondEmpty } from './arrival.ts';
import { answerClientError } from './client-error.ts';
import { preflightHeaders } from './cross-origin.ts';
import type { OpenRequests } from './drain.ts';
import { drain } from './drain.ts';
import { createFollowedSessions } from './followed-sessions.ts';
import { createForwardPasses } from './forward-pass.ts';
import { ALONE, nameOfReplica, type OtherReplicas } from './forwarding.ts';
import { createHostGuard } from './host-guard.ts';
import type { LegacySessions } from './legacy-sessions.ts';
import type { EntrypointLimits } from './limits.ts';
import { resolveLimits } from './limits.ts';
import type { ListenAddress } from './listen.ts';
import { listen } from './listen.ts';
import { createListener } from './listener.ts';
import { OpenQuestions } from './open-questions.ts';
import { createBrowser } from './pages/browser.ts';
import { createConnectCookies } from './pages/connect-cookie.ts';
import { createConnectLinks, type ConnectLinks } from './pages/connect-links.ts';
import { receivePage } from './pages/receive-page.ts';
import type { EntrypointParts } from './parts.ts';
import { createQuestionIds } from './question-ids.ts';
import { receivePost } from './receive-post.ts';
import { receiveSessionEnd, receiveSessionStream } from './receive-session.ts';
import { createResourceMetadata } from './resource-metadata.ts';
import { RunningCalls } from './running-calls.ts';
import { createSessionIds } from './session-ids.ts';
import { SessionListenings } from './session-listenings.ts';
import { isForSse, receiveSse } from './sse/receive-sse.ts';
import { createSseConversations } from './sse/sse-conversation.ts';
import { DEFAULT_RESUMPTION, StreamLogs } from './stream-logs.ts';
import type { ResumptionLimits } from './stream-logs.ts';
import { createStreamSlots } from './stream-slots.ts';
import type { TlsMaterial, TlsOptions } from './tls.ts';

export type EntrypointOptions = {
  readonly pipeline: Pipeline;
  readonly sealer: Sealer;
  readonly sessions: LegacySessions;
  /** This process: whose calls and questions are open here. */
  readonly replica: ReplicaId;
  /** Who may have what is not open here. Default: nobody. */
  readonly otherReplicas?: OtherReplicas;
  /** A legacy client did not answer what its server asks: the call that waits for it is given up. */
  readonly dropParkedCall: (id: string) => void;
  /** What clients type: scheme, host and port, no trailing slash. */
  readonly publicUrl: string;
  /** Host header values that are taken beside those of `publicUrl` and of loopback with our port. */
  readonly allowedHosts: readonly string[];
  /** Web origins that may call, beside `publicUrl` and loopback with our port. */
  readonly allowedOrigins: readonly string[];
  /** Issuer identifiers and scopes, told to clients without a token. */
  readonly authorizationServers: readonly string[];
  readonly requiredScopes: readonly string[];
  /** What tokens are issued for. */
  readonly audience: 'endpoint' | 'gateway';
  /** Without it the listener speaks plain HTTP. */
  readonly tls?: TlsOptions;
  /** Clients of 2024-11-05 are served too, over HTTP+SSE. */
  readonly legacySse?: boolean;
  /** Where people can log in with a browser. Undefined: nowhere, and the pages say so. */
  readonly login?: BrowserLogin | undefined;
  /** Where people consent to servers that ask them to. Undefined: none does. */
  readonly consents?: Consents | undefined;
  /** Those that the pipeline makes. */
  readonly connectLinks?: Pick<ConnectLinks, 'open' | 'use'>;
  /** How the gateway describes itself to authorization servers; undefined where they cannot fetch it. */
  readonly clientDocument?: JsonObject | undefined;
  readonly limits?: Partial<EntrypointLimits>;
  /** What is kept for legacy clients that lose their connection. */
  readonly resumption?: Partial<ResumptionLimits>;
  readonly logger: Logger;
  readonly instruments: Instruments;
  /** For the record: sessions, log-ins, and refusals that the pipeline never sees. */
  readonly note: NoteEvent;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  readonly newId: () => string;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** The digest of a call's arguments: what a state that clients carry for us is bound to. */
  readonly digestArguments: (args: JsonObject) => string;
};

/** What is open now. */
export type EntrypointCounts = {
  readonly connections: number;
  /** HTTP requests that are received or answered. */
  readonly requests: number;
  /** Event streams that stay open: of sessions, and of who follows the record. */
  readonly streams: number;
  /** That legacy clients were asked and have not answered. */
  readonly openQuestions: number;
  /** Streams that legacy clients may come back to, and what is kept of them. */
  readonly keptStreams: number;
  readonly keptBytes: number;
};

export type Entrypoint = {
  /** @throws ListenError */
  listen(address: ListenAddress): Promise<ListenAddress>;
  /** For connections that begin from now on; those that are open go on. @throws when it cannot be used; nothing changes then. */
  replaceTls(material: TlsMaterial): void;
  /** True from the moment `close` was called: readiness. */
  readonly draining: boolean;
  /** Open connections, now. */
  connections(): Promise<number>;
  /** Requests at work, now. */
  readonly calls: number;
  counts(): EntrypointCounts;
  /**
   * Stops in an orderly way: no new connections, 503 for new requests on old ones, streams end, calls may finish within
   * `graceMs`, then they are cancelled and the connections cut. Called again, it can shorten the time that is left.
   */
  close(graceMs: number): Promise<void>;
};

/** @throws TypeError or RangeError when an option cannot be used. */
export function createEntrypoint(options: EntrypointOptions): Entrypoint {
  const { limits: chosen = {}, publicUrl, authorizationServers, requiredScopes: scopes, audience } = options;
  const limits = resolveLimits(chosen);
  const guard = createHostGuard(options);
  let port = 0;
  const requests: OpenRequests = { count: 0, whenIdle: undefined, shorten: undefined };
  let closing: Promise<void> | undefined;

  const parts: EntrypointParts = {
    ...options,
    limits,
    sessionIds: createSessionIds({ ...options, lifetimeMs: limits.sessionLifetimeMs }),
    metadata: createResourceMetadata({ publicUrl, authorizationServers, scopes, audience }),
    followedSessions: createFollowedSessions(options),
    isDraining: () => closing !== undefined,
    browser: createBrowser(options),
    connectLinks: options.connectLinks ?? createConnectLinks(options),
    connectCookies: createConnectCookies(options),
    streamSlots: createStreamSlots(limits),
    sseConversations: options.legacySse === true ? createSseConversations(options) : undefined,
    streamLogs: new StreamLogs({ ...options, limits: { ...DEFAULT_RESUMPTION, ...options.resumption } }),
    openCalls: new Set(),
    runningCalls: new RunningCalls(),
    openStreams: new Set(),
    openQuestions: new OpenQuestions(limits.maxOpenQuestions),
    questionIds: createQuestionIds(options),
    otherReplicas: options.otherReplicas ?? ALONE,
    forwardPasses: createForwardPasses(options.sealer, nameOfReplica(options.replica)),
    forwards: { count: 0 },
    sessionListenings: new SessionListenings(),
    answering: new WeakMap(),
  };
  const door = { parts, guard, port: () => port };

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away in the middle of an answer is no error of ours.
    response.on('error', ignore);
    parts.answering.set(request.socket, response);
    requests.count += 1;
    try {
      const arrival = await admitArrival(door, request, response);
      if (arrival !== undefined) await dispatch(arrival, requests.count);
    } catch (error) {
      parts.logger.error({ err: error }, 'a request failed at the door');
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'Content-Length': '0', Connection: 'close' }).end();
    } finally {
      requests.count -= 1;
      if (requests.count === 0) requests.whenIdle?.();
    }
  }

  const listener = createListener(options.tls, limits);
  const { server } = listener;
  attach(server, parts, (request, response) => void receive(request, response));
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
  });

  async function close(graceMs: number): Promise<void> {
    await drain(server, parts, requests, graceMs);
    parts.followedSessions.close();
    parts.streamLogs.close();
  }

  return {
    async listen(address) {
      const bound = await listen(server, address);
      port = bound.port;
      return bound;
    },
    replaceTls: (material) => listener.replaceTls(material),
    get draining() {
      return closing !== undefined;
    },
    connections: () =>
      new Promise((resolve) => {
        server.getConnections((_error, count) => resolve(count ?? 0));
      }),
    get calls() {
      return parts.openCalls.size;
    },
    counts: () => ({
      connections,
      requests: requests.count,
      streams: parts.openStreams.size,
      openQuestions: parts.openQuestions.size,
      keptStreams: parts.streamLogs.size,
      keptBytes: parts.streamLogs.bytes,
    }),
    close(graceMs) {
      if (closing === undefined) {
        closing = close(graceMs);
      } else requests.shorten?.(graceMs);
      return closing;
    },
  };
}

const ignore = (): void => undefined;

function attach(
  server: Server,
  parts: EntrypointParts,
  receive: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  const { limits } = parts;
  server.maxConnections = limits.maxConnections;
  // No call is silent for longer than its timeout, so this is a peer that does not take its answer.
  server.timeout = limits.timeoutMs + limits.writeTimeoutMs;
  // Node would silently drop headers beyond its count; then nobody could see that one came twice.
  server.maxHeadersCount = 0;
  server.on('request', receive);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // Not invited when Content-Length already says that it is too much (RFC 9110 section 10.1.1).
    if (Number(request.headers['content-length'] ?? 0) <= limits.maxBodyBytes) response.writeContinue();
    receive(request, response);
  });
  server.on('clientError', (error, socket) => answerClientError(error, socket, parts));
}

async function dispatch(arrival: Arrival, requests: number): Promise<void> {
  const { parts, request, headers } = arrival;
  if (request.method === 'OPTIONS') return respondEmpty(arrival, 204, preflightHeaders(headers.requestedHeaders));
  if (arrival.route?.kind === 'metadata') return answerMetadata(arrival);
  if (arrival.route?.kind === 'client-document') return answerClientDocument(arrival);
  if (parts.isDraining()) return refuse(arrival, failure('draining', { retryAfterMs: 1_000 }));
  if (requests > parts.limits.maxConcurrent) return refuse(arrival, failure('overloaded', { retryAfterMs: 1_000 }));
  if (isForUs(arrival)) return arrival.route.kind === 'api' ? receiveApi(arrival) : receivePage(arrival);
  if (isForSse(arrival)) return receiveSse(arrival);
  if (!isForEndpoint(arrival)) return refuse(arrival, failure('not-found'));
  return request.method === 'POST' ? receivePost(arrival) : receiveBodiless(arrival);
}

async function receiveBodiless(arrival: EndpointArrival): Promise<void> {
  const httpMethod = arrival.request.method ?? '';
  const classified = classify(
    { httpMethod, headers: arrival.mcp },
    { maxBatchMessages: arrival.parts.limits.maxBatch },
  );
  switch (classified.kind) {
    case 'session-stream':
      return receiveSessionStream(arrival, classified);
    case 'session-end':
      return receiveSessionEnd(arrival, classified);
    case 'refused':
      return refuse(arrival, classified.failure, classified);
    default:
      throw new Error(`A ${httpMethod} request was classified as ${classified.kind}.`);
  }
}

function answerMetadata(arrival: Arrival): Promise<void> | void {
  const { route, parts } = arrival;
  return answerDocument(arrival, route?.kind === 'metadata' ? parts.metadata.documentOf(route.path) : '');
}

function answerClientDocument(arrival: Arrival): Promise<void> | void {
  const { clientDocument } = arrival.parts;
  if (clientDocument === undefined) return refuse(arrival, failure('not-found'));
  return answerDocument(arrival, JSON.stringify(clientDocument));
}

function answerDocument(arrival: Arrival, document: string): Promise<void> | void {
  const { request, response, cors } = arrival;
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(arrival, failure('method-not-allowed'));
  const length = String(Buffer.byteLength(document));
  const headers = ['Content-Type', 'application/json', 'Content-Length', length, 'Cache-Control', 'max-age=300'];
  response.writeHead(200, [...headers, ...cors]).end(document);
}
