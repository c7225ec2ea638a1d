/** For the tests of this folder: a running entrypoint with a pipeline that the test writes, and clients for it. */

import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';

import type { GatewayEvent } from '../model/event.ts';
import type { FailureCode } from '../model/failure.ts';
import { failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Outcome } from '../model/outcome.ts';
import { somebody } from '../model/principal.fixture.ts';
import type { InboundRequest } from '../model/request.ts';
import type { Exchange, Pipeline } from '../pipeline/pipeline.ts';
import { createSealer } from '../seal/aead-sealer.ts';
import { newKeyRing } from '../seal/key-ring.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { LogFields, Logger } from '../telemetry/logger.ts';
import type { Entrypoint, EntrypointOptions } from './entrypoint.ts';
import { createEntrypoint } from './entrypoint.ts';
import { createMemoryLegacySessions } from './legacy-sessions.ts';

export type Running = {
  readonly entrypoint: Entrypoint;
  readonly port: number;
  /** What came through the door, in order. */
  readonly seen: InboundRequest[];
  readonly refused: FailureCode[];
  readonly logged: string[];
  /** What the record was told beside calls. */
  readonly noted: GatewayEvent[];
  readonly streams: { open: number };
  readonly clock: { nowMs: number };
};

/** What the operation of an authenticated request comes to. */
export type Answering = (request: InboundRequest, exchange: Exchange) => Outcome | Promise<Outcome>;

export const value = (result: JsonObject): Outcome => ({ kind: 'complete', result: { kind: 'value', value: result } });

export const DISCOVERED: Outcome = {
  kind: 'discovered',
  discovery: {
    serverInfo: { name: 'test', version: '1' },
    capabilities: { tools: {} },
    freshness: { ttlMs: 0, scope: 'private' },
  },
};

const answerSimply: Answering = ({ operation }) =>
  operation.kind === 'discover' ? DISCOVERED : value(operation.kind === 'call-tool' ? { content: [] } : {});

/** Starts an entrypoint. `alice-key` and `bob-key` are valid credentials. */
export async function start(
  answering: Answering = answerSimply,
  { port: at = 0, ...chosen }: Partial<EntrypointOptions> & { readonly port?: number } = {},
): Promise<Running> {
  const seen: InboundRequest[] = [];
  const refused: FailureCode[] = [];
  const logged: string[] = [];
  const noted: GatewayEvent[] = [];
  const streams = { open: 0 };
  const clock = { nowMs: 1_800_000_000_000 };
  const now = (): number => clock.nowMs;
  const log = (fields: LogFields, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const entrypoint = createEntrypoint({
    pipeline: pipelineOf(answering, seen),
    sealer: createSealer(newKeyRing(randomBytes), { now, randomBytes }),
    sessions: createMemoryLegacySessions({ now }),
    replica: 'here',
    dropParkedCall: () => undefined,
    publicUrl: 'https://gw.example.com',
    allowedHosts: [],
    allowedOrigins: ['https://app.example.com'],
    authorizationServers: ['https://idp.example.com'],
    requiredScopes: [],
    audience: 'endpoint',
    logger,
    note: (event) => void noted.push(event),
    instruments: instrumentsInto(refused, streams),
    now,
    clockMs: () => performance.now(),
    newId: randomUUID,
    randomBytes,
    digestArguments: (args) => JSON.stringify(args),
    ...chosen,
  });
  const { port } = await entrypoint.listen({ host: '127.0.0.1', port: at });
  return { entrypoint, port, seen, refused, logged, noted, streams, clock };
}

/** Authentication, the check of sealed values, and then whatever the test says. */
function pipelineOf(answering: Answering, seen: InboundRequest[]): Pipeline {
  return {
    async handle(request, exchange) {
      seen.push(request);
      const presented = request.presented.bearer?.expose() ?? '';
      const name = CREDENTIALS[presented];
      if (name === undefined) {
        const code = presented === '' ? 'unauthenticated' : 'invalid-credential';
        return { outcome: { kind: 'failed', failure: failure(code) } };
      }
      const principal = somebody(name);
      if (request.sealedFor.some((key) => key !== principal.key)) {
        const code = request.client.session === undefined ? 'invalid-state' : 'unknown-session';
        return { outcome: { kind: 'failed', failure: failure(code) }, principal };
      }
      return { outcome: await answering(request, exchange), principal };
    },
  };
}

const CREDENTIALS: Readonly<Record<string, string>> = { 'alice-key': 'alice', 'bob-key': 'bob' };

function instrumentsInto(refused: FailureCode[], streams: { open: number }): Instruments {
  const nowhere = (): void => undefined;
  return {
    serverOperation: nowhere,
    clientOperation: nowhere,
    decided: nowhere,
    policiesReloaded: nowhere,
    policiesRefused: nowhere,
    observed: nowhere,
    schemaRejected: nowhere,
    minutesSaved: nowhere,
    auditBacklog: nowhere,
    auditFailed: nowhere,
    auditFailing: nowhere,
    bodies: nowhere,
    auditSink: nowhere,
    auditSinkFailed: nowhere,
    auditSinkRejected: nowhere,
    auditSinkMissed: nowhere,
    upstreamState: nowhere,
    breakerState: nowhere,
    retried: nowhere,
    processStarted: nowhere,
    logDropped: () => undefined,
    sessionUsed: nowhere,
    sessionEnded: nowhere,
    clientSessionEnded: nowhere,
    answered: nowhere,
    quotaRefused: nowhere,
    approvalDecided: nowhere,
    catalogChanged: nowhere,
    changeTold: nowhere,
    exported: nowhere,
    refused: (code) => void refused.push(code),
    streamOpened: () => void (streams.open += 1),
    streamClosed: () => void (streams.open -= 1),
  };
}

export type Sent = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** JSON unless it is text or bytes already. */
  readonly body?: unknown;
};

export type Received = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

const DEFAULT_HEADERS: OutgoingHttpHeaders = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  authorization: 'Bearer alice-key',
};

/** Sends a request, and resolves when the headers of the answer are here. A header that is set to undefined is left out. */
export function open(port: number, sent: Sent): Promise<IncomingMessage> {
  const { method = 'POST', path = '/mcp', body } = sent;
  const headers = Object.fromEntries(
    Object.entries({ ...DEFAULT_HEADERS, ...sent.headers }).filter(([, header]) => header !== undefined),
  );
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, resolve);
    request.on('error', reject);
    if (body === undefined) request.end();
    else request.end(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
  });
}

/** Sends a request and reads the whole answer. */
export async function send(port: number, sent: Sent): Promise<Received> {
  const response = await open(port, sent);
  return { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) };
}

/** Writes bytes as they are, and reads until the other side has closed. */
export const sendRaw = (port: number, bytes: string): Promise<string> =>
  converse(port, (socket) => void socket.write(bytes));

/** The same, from a client that says that it will send no more. */
export const sendLast = (port: number, bytes: string): Promise<string> => converse(port, (socket) => socket.end(bytes));

function converse(port: number, write: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => write(socket));
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
    socket.on('error', reject).on('close', () => resolve(received));
  });
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

export const modernBody = (method: string, params: JsonObject = {}, meta: JsonObject = {}): JsonObject => ({
  jsonrpc: '2.0',
  id: 1,
  method,
  params: { ...params, _meta: { ...META, ...meta } },
});

export const modernHeaders = (method: string, name?: string): OutgoingHttpHeaders => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name === undefined ? {} : { 'mcp-name': name }),
});

/** A modern tool call, ready to send. */
export const modernCall = (name = 'echo', meta: JsonObject = {}): Sent => ({
  headers: modernHeaders('tools/call', name),
  body: modernBody('tools/call', { name, arguments: {} }, meta),
});

export const legacyBody = (method: string, params: JsonObject = {}, id: number | string = 1): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});

export const initializeBody = (revision: string): JsonObject =>
  legacyBody('initialize', {
    protocolVersion: revision,
    capabilities: { roots: {} },
    clientInfo: { name: 'test-client', version: '1' },
  });

/** Opens a session and returns the headers that belong to every request in it. */
export async function openSession(
  port: number,
  revision = '2025-11-25',
  sent: Sent = {},
): Promise<{ 'mcp-session-id': string; 'mcp-protocol-version': string | undefined }> {
  const answer = await send(port, { ...sent, body: initializeBody(revision) });
  const id = answer.headers['mcp-session-id'];
  if (typeof id !== 'string') throw new Error(`initialize was answered with ${answer.status}: ${answer.text}`);
  return { 'mcp-session-id': id, 'mcp-protocol-version': revision === '2025-03-26' ? undefined : revision };
}

/** The JSON of each event of a stream's text. */
export const eventsOf = (stream: string): unknown[] =>
  [...stream.matchAll(/^data: (.+)$/gmu)].map(([, data]): unknown => JSON.parse(data ?? ''));

/** A promise, and the function that keeps it. */
export function promised<T = void>(): { readonly promise: Promise<T>; readonly keep: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, keep: resolve };
}
