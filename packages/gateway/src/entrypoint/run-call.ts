/** Takes one decoded request through the pipeline and makes the answer of what came out. */

import { isQuestion } from '../model/elicitation.ts';
import type { LogLevel } from '../model/log-level.ts';
import type { Operation } from '../model/operation.ts';
import type { ClientFacts, InboundRequest, RequestMeta } from '../model/request.ts';
import type { Handled } from '../pipeline/pipeline.ts';
import type { Decoded, DecodedRequest, EncodedAnswer, ServerCodec } from '../protocol/codec.ts';
import type { JsonRpcId } from '../protocol/json-rpc.ts';
import type { EndpointArrival } from './arrival.ts';
import { addressOf, challenge, presentedBy, respond } from './arrival.ts';
import { ArrivalWire } from './arrival-wire.ts';
import { askClient } from './ask-client.ts';
import { CallExchange } from './call-exchange.ts';
import { isSubscribing, keepSubscription } from './keep-subscription.ts';
import { atLevel, keepLogLevel } from './log-levels.ts';
import type { CallReply } from './reply.ts';
import { RequestSeals } from './request-seals.ts';
import type { Session } from './session-ids.ts';

/** The client as its session, or its request, describes it. */
export type Speaker = Omit<ClientFacts, 'address'> & { readonly sealedFor: readonly string[] };

export const sealsFor = ({ parts, route }: EndpointArrival): RequestSeals =>
  new RequestSeals({
    sealer: parts.sealer,
    path: route.path,
    cursorLifetimeMs: parts.limits.cursorLifetimeMs,
    stateLifetimeMs: parts.limits.stateLifetimeMs,
    taskLifetimeMs: parts.limits.taskLifetimeMs,
    digestArguments: parts.digestArguments,
  });

/** Where a message came from, who speaks, and who translates. */
export type Within = {
  readonly arrival: EndpointArrival;
  readonly codec: ServerCodec;
  readonly speaker: Speaker;
  /** Of a legacy client. */
  readonly session?: Session;
  /** What its client asked for. */
  readonly logLevel?: LogLevel;
};

export type RunCall = Within & {
  readonly decoded: DecodedRequest;
  readonly seals: RequestSeals;
  readonly reply: CallReply;
};

export type Answered = {
  readonly answer: EncodedAnswer;
  readonly headers: readonly string[];
  readonly handled: Handled;
  /** The client cancelled it, and gets no answer (MCP 2025-11-25, basic/utilities/cancellation). */
  readonly withheld: boolean;
};

/** The encoded answer of one request. Never throws for what the caller or an upstream did. */
export async function runCall(run: RunCall): Promise<Answered> {
  const { arrival, codec, speaker, seals, reply } = run;
  const decoded = atLevel(run.decoded, run.logLevel);
  const { pipeline, limits, openCalls, runningCalls } = arrival.parts;
  const exchange = new CallExchange(limits.timeoutMs, codec, reply, decoded.meta);
  if (codec.era === 'modern') abortOnDisconnect(arrival, exchange);
  openCalls.add(exchange);
  const { session } = speaker;
  const ended = session === undefined ? undefined : runningCalls.add(session, decoded.id, exchange);
  try {
    const inbound = inboundRequest(arrival, speaker, decoded);
    const first = await pipeline.handle(inbound, exchange);
    const asks = codec.era === 'legacy' && isQuestion(first.outcome);
    const told = asks ? await askClient(run, inbound, exchange, first) : first;
    const leveled = await keepLogLevel(arrival.parts, run.session, decoded, told);
    const { operation } = decoded;
    const handled =
      run.session !== undefined && isSubscribing(operation)
        ? await keepSubscription(arrival.parts, run.session, operation, leveled)
        : leveled;
    seals.principal = handled.principal?.key;
    const answer = await codec.encode(handled.outcome, {
      id: decoded.id,
      operation: decoded.operation,
      requestId: arrival.id,
      ...(handled.entry === undefined ? {} : { entry: handled.entry }),
      aggregate: arrival.route.endpoint.kind === 'aggregate',
      seals,
      maxProjectedBytes: limits.maxBufferedResultBytes,
    });
    const { outcome } = handled;
    const headers = outcome.kind === 'failed' ? challenge(arrival, outcome.failure) : [];
    return { answer, headers, handled, withheld: exchange.cancelled };
  } finally {
    ended?.();
    openCalls.delete(exchange);
  }
}

/**
 * A modern client that goes away cancels (MCP 2026-07-28, basic/transports/streamable-http, Cancellation), also while its
 * result is still arriving. A legacy client does not: its call goes on, bounded by its timeout.
 */
function abortOnDisconnect({ response }: EndpointArrival, exchange: CallExchange): void {
  if (response.destroyed) exchange.abort();
  response.once('close', () => {
    if (!response.writableFinished) exchange.abort();
  });
}

/** For what has no JSON-RPC answer: notifications, posted responses, streams and the end of a session. */
export async function runSilently({ arrival, codec, speaker }: Within, operation: Operation): Promise<Handled> {
  const { pipeline, limits, openCalls } = arrival.parts;
  const exchange = new CallExchange(limits.timeoutMs, codec);
  openCalls.add(exchange);
  try {
    return await pipeline.handle(
      inboundRequest(arrival, speaker, { operation, meta: NO_META, sealedFor: [] }),
      exchange,
    );
  } finally {
    openCalls.delete(exchange);
  }
}

type Asked = Pick<DecodedRequest, 'operation' | 'meta' | 'sealedFor' | 'answers'> & { readonly id?: JsonRpcId };

function inboundRequest(arrival: EndpointArrival, speaker: Speaker, asked: Asked): InboundRequest {
  const { era, revision, capabilities, info, session } = speaker;
  const facts = { era, revision, capabilities, address: addressOf(arrival) };
  const described: ClientFacts = info === undefined ? facts : { ...facts, info };
  return {
    id: arrival.id,
    receivedAtMs: arrival.receivedAtMs,
    startedMs: arrival.startedMs,
    wire: new ArrivalWire(arrival.request, asked.id),
    httpVersion: arrival.request.httpVersion,
    endpoint: arrival.route.endpoint,
    presented: presentedBy(arrival),
    client: session === undefined ? described : { ...described, session },
    operation: asked.operation,
    meta: asked.meta,
    sealedFor: speaker.sealedFor.length === 0 ? asked.sealedFor : [...speaker.sealedFor, ...asked.sealedFor],
    ...(asked.answers === undefined ? undefined : { answers: asked.answers }),
  };
}

const NO_META: RequestMeta = { vendor: {} };

/** Answers `runSilently` when it failed; false when it did not. The failure is recorded already. */
export async function answerFailure(
  arrival: EndpointArrival,
  codec: ServerCodec,
  { outcome }: Handled,
): Promise<boolean> {
  if (outcome.kind !== 'failed') return false;
  const answer = codec.encodeFailure(outcome.failure, { id: null, requestId: arrival.id });
  await respond(arrival, answer, challenge(arrival, outcome.failure));
  return true;
}

/** A posted response answers a question of ours: it is authenticated and recorded before anyone looks at it. */
export const silentOperation = (decoded: Extract<Decoded, { kind: 'notification' | 'response' }>): Operation =>
  decoded.kind === 'notification'
    ? { kind: 'notify', method: decoded.method, params: decoded.params }
    : { kind: 'notify', method: 'response', params: {} };
