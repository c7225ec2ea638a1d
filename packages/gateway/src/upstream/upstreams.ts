/**
 * All servers behind one `Send`: finds the credential and a live upstream, makes the call, and lets go of both. What goes
 * wrong on the way is an outcome. One server's slowness is bounded: in time, and in how many calls may be in flight.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Credential, CredentialBroker } from '../credential/broker.ts';
import type { AttemptWatch, Call, Send, SendOptions } from '../model/call.ts';
import { failure, Refusal } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import { methodOf } from '../model/operation.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Era, Revision } from '../model/revision.ts';
import type { ServerId } from '../model/target.ts';
import type { AttemptFact, CredentialKind, ReachedUpstream } from '../model/trail.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Clock } from './clock.ts';
import { DEFAULT_BACKOFF } from './connect-failures.ts';
import type { BackoffOptions } from './connect-failures.ts';
import type { Connector, ErrorOutput, Upstream } from './connector.ts';
import { breaker } from './interceptors/breaker.ts';
import { CircuitBreaker } from './interceptors/circuit-breaker.ts';
import type { BreakerOptions, BreakerState } from './interceptors/circuit-breaker.ts';
import { retry, RetryBudget } from './interceptors/retry.ts';
import { timeout } from './interceptors/timeout.ts';
import type { CallTimeouts } from './interceptors/timeout.ts';
import { UpstreamPool } from './pool.ts';
import type { PoolStatus } from './pool.ts';
import type { Member, PoolLimits } from './pool-shelf.ts';
import { tiedToServer } from './questions.ts';
import { untilRead } from './streamed-result.ts';

/** How one server is reached, from the configuration. */
export type Route = {
  readonly connector: Connector;
  readonly limits: PoolLimits;
  readonly timeouts: CallTimeouts;
  /** Of what is safe to try again, after the first attempt. */
  readonly retries: number;
  /** Undefined: it is asked however often it failed. */
  readonly breaker: BreakerOptions | undefined;
  /** Calls in flight; more are refused. */
  readonly maxInFlight: number;
};

export type UpstreamsOptions = {
  /** The route in force now: asked for every call, so that a new configuration counts from the next one on. */
  readonly routeTo: (server: ServerId) => Route | undefined;
  readonly broker: CredentialBroker;
  readonly instruments: Pick<Instruments, 'clientOperation' | 'clientSessionEnded' | 'breakerState' | 'retried'>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly backoff?: BackoffOptions;
  readonly sweepIntervalMs?: number;
};

/** How a server was found to speak when it was last reached. */
export type SpokenTo = { readonly era: Era; readonly revision: Revision; readonly transport: 'http' | 'stdio' };

export type UpstreamStatus = PoolStatus & {
  readonly inFlight: number;
  readonly spokenTo?: SpokenTo;
  readonly breaker?: BreakerState;
};

export interface Upstreams {
  readonly send: Send;
  /** Undefined for a server that was never called. */
  status(server: ServerId): UpstreamStatus | undefined;
  /** Refuses new calls (`draining`) and ends every upstream, in use or not. Idempotent. */
  close(): Promise<void>;
}

type ServerState = {
  inFlight: number;
  spokenTo?: SpokenTo;
  readonly budget: RetryBudget;
  circuit?: { readonly options: BreakerOptions; readonly breaker: CircuitBreaker };
};

const DEFAULT_SWEEP_INTERVAL_MS = 5000;

export function createUpstreams(options: UpstreamsOptions): Upstreams {
  const { clock, routeTo } = options;
  const pool = new UpstreamPool({
    clock,
    backoff: options.backoff ?? DEFAULT_BACKOFF,
    sweepIntervalMs: options.sweepIntervalMs ?? DEFAULT_SWEEP_INTERVAL_MS,
    onEnded: (server, { era, revision }, lifetimeMs) => {
      // Modern revisions have no sessions.
      const place = era === 'legacy' ? routeTo(server)?.connector.place : undefined;
      if (place === undefined) return;
      options.instruments.clientSessionEnded({ ...place, server, revision, seconds: lifetimeMs / 1000 });
    },
  });
  const states = new Map<ServerId, ServerState>();

  const stateOf = (server: ServerId): ServerState => {
    let state = states.get(server);
    if (state === undefined) states.set(server, (state = { inFlight: 0, budget: new RetryBudget() }));
    return state;
  };

  // Time counts for the whole, retries for what the breaker let through, and the breaker for each attempt.
  const attempt = createAttempt({ pool, broker: options.broker, routeTo, stateOf });
  const guarded = breaker({ breakerOf: (server) => breakerOf(server, stateOf(server), options) })(attempt);
  const tried = retry({
    clock,
    random: options.random,
    retriesFor: (call) => routeTo(call.entry.server.id)?.retries ?? 0,
    budgetOf: (server) => stateOf(server).budget,
    onRetry: ({ entry }, { code }) => options.instruments.retried(entry.server.id, code),
  })(guarded);
  const inTime = timeout({ clock, timeoutsFor: (call) => timeoutsFor(call, routeTo(call.entry.server.id)) })(tried);

  const send: Send = async (call, sendOptions) => {
    const server = call.entry.server.id;
    const route = routeTo(server);
    if (route === undefined) return failed(notConfigured(server));
    const state = stateOf(server);
    if (state.inFlight >= route.maxInFlight) return failed(tooMany(server, route.maxInFlight));
    const startedMs = clock.nowMs();
    state.inFlight += 1;
    let outcome: Outcome;
    try {
      outcome = await inTime(call, sendOptions);
    } catch (error) {
      outcome = failed(failureOf(error));
    } finally {
      state.inFlight -= 1;
    }
    const seconds = (clock.nowMs() - startedMs) / 1000;
    noteOperation(options.instruments, call, { outcome, seconds, route, state });
    return outcome;
  };

  return {
    send,
    status(server) {
      const status = pool.status(server);
      const state = states.get(server);
      if (status === undefined || state === undefined) return undefined;
      const { inFlight, spokenTo, circuit } = state;
      return {
        ...status,
        inFlight,
        ...(spokenTo === undefined ? {} : { spokenTo }),
        ...(circuit === undefined ? {} : { breaker: circuit.breaker.state }),
      };
    },
    close: () => pool.close(),
  };
}

const UNLIMITED: CallTimeouts = { totalMs: Infinity, maxMs: Infinity };

/** The tool's own time where the operator set one; a maximum below it would be a contradiction, so it gives way. */
function timeoutsFor({ entry }: Call, route: Route | undefined): CallTimeouts {
  if (route === undefined) return UNLIMITED;
  const { timeoutMs } = entry.traits;
  if (timeoutMs === undefined) return route.timeouts;
  return { ...route.timeouts, totalMs: timeoutMs, maxMs: Math.max(timeoutMs, route.timeouts.maxMs) };
}

/** A new one when the operator changed its settings: what was counted under the old ones says little under the new. */
function breakerOf(server: ServerId, state: ServerState, parts: UpstreamsOptions): CircuitBreaker | undefined {
  const wanted = parts.routeTo(server)?.breaker;
  if (state.circuit?.options === wanted) return state.circuit?.breaker;
  if (wanted === undefined) {
    delete state.circuit;
    return undefined;
  }
  const circuit = new CircuitBreaker(parts.clock, wanted, (is) => {
    parts.instruments.breakerState(server, is);
    if (is === 'open')
      parts.logger.warn({ server, pauseMs: circuit.pauseLeftMs }, 'the server keeps failing: not asked for a while');
    else if (is === 'closed') parts.logger.info({ server }, 'the server answers again');
  });
  parts.instruments.breakerState(server, 'closed');
  state.circuit = { options: wanted, breaker: circuit };
  return circuit;
}

type AttemptParts = {
  readonly pool: UpstreamPool;
  readonly broker: CredentialBroker;
  readonly routeTo: (server: ServerId) => Route | undefined;
  readonly stateOf: (server: ServerId) => ServerState;
};

/** Throws a Refusal for what went wrong before an upstream was there. */
function createAttempt({ pool, broker, routeTo, stateOf }: AttemptParts): Send {
  const acquire = (call: Call, credential: Credential, signal: AbortSignal): Member | Promise<Member> => {
    const { server } = call.entry;
    const route = routeTo(server.id);
    if (route === undefined) throw new Refusal(notConfigured(server.id));
    const { principal } = call.intent.permit;
    const { session } = call.client;
    const request = { server, connector: route.connector, limits: route.limits, credential, principal, signal };
    return pool.acquire(session === undefined ? request : { ...request, session });
  };

  const once = async (call: Call, sendOptions: SendOptions): Promise<{ outcome: Outcome; again: boolean }> => {
    const { server } = call.entry;
    const watch = sendOptions.watch?.attempt(server, routeTo(server.id)?.connector.place);
    const found: AttemptParties = {};
    try {
      const attempted = await reach(watched(call, watch), sendOptions, found);
      const { outcome } = attempted;
      watch?.ended({ ...found, outcome: attemptOutcome(outcome), ...errorOf(outcome) });
      return attempted;
    } catch (error) {
      const { code } = failureOf(error);
      watch?.ended({ ...found, outcome: code, errorType: code });
      throw error;
    }
  };

  const reach = async (
    call: Call,
    sendOptions: SendOptions,
    found: AttemptParties,
  ): Promise<{ outcome: Outcome; again: boolean }> => {
    const { signal } = sendOptions;
    const { principal } = call.intent.permit;
    const { id } = call.entry.server;
    const obtained = broker.obtain(principal, id, signal);
    const credential = obtained instanceof Promise ? await obtained : obtained;
    found.credential = credential.kind;
    const acquired = acquire(call, credential, signal);
    const member = acquired instanceof Promise ? await acquired : acquired;
    found.upstream = member.upstream.reached;
    const state = stateOf(id);
    if (state.spokenTo?.revision !== member.upstream.revision) state.spokenTo = spokenTo(member.upstream);
    const { stderr } = member.upstream;
    const mark = stderr?.mark() ?? 0;
    let outcome: Outcome;
    try {
      outcome = tiedToServer(call, await member.upstream.send(call, sendOptions));
    } catch (error) {
      pool.release(id, member);
      throw error;
    }
    if (stderr !== undefined && errorOf(outcome).errorType !== undefined) found.stderr = await written(stderr, mark);
    const ended = endedBefore(outcome);
    if (ended) pool.discard(id, member);
    return { outcome: untilRead(outcome, signal, () => pool.release(id, member)), again: ended };
  };

  return async (call, sendOptions) => {
    const first = await once(call, sendOptions);
    // Nothing left for the server, so this cannot be a second time; once only, because a fresh one ends for a reason.
    return first.again && !sendOptions.signal.aborted ? (await once(call, sendOptions)).outcome : first.outcome;
  };
}

/** What is known of an attempt so far. */
type AttemptParties = { credential?: CredentialKind; upstream?: ReachedUpstream; stderr?: readonly string[] };

/** What was written before the answer may lie in the other pipe still: one turn of the event loop reads both. */
async function written(stderr: ErrorOutput, mark: number): Promise<readonly string[]> {
  await nextTurn();
  return stderr.since(mark);
}

/** The server sees the attempt's place in the trace, not what the client sent. */
function watched(call: Call, watch: AttemptWatch | undefined): Call {
  const traceContext = watch?.traceContext;
  if (traceContext === undefined) return call;
  // As headers, too, where there are headers: services of every kind read those, and MCP servers alone the others.
  const traceHeaders = Object.entries(traceContext).flatMap(([name, value]) =>
    typeof value === 'string' ? [name, value] : [],
  );
  return { ...call, traceHeaders, meta: { ...call.meta, vendor: { ...call.meta.vendor, ...traceContext } } };
}

function attemptOutcome(outcome: Outcome): AttemptFact['outcome'] {
  if (outcome.kind === 'failed') return outcome.failure.code;
  if (outcome.kind === 'input-required') return 'input_required';
  return errorOf(outcome).errorType === undefined ? 'ok' : 'tool_error';
}

/** The upstream was taken from the pool and had ended before the request left. */
function endedBefore(outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.failure.code === 'upstream-closed' && outcome.failure.sent === 'no';
}

const spokenTo = ({ era, revision, transport }: Upstream): SpokenTo => ({ era, revision, transport });

type Finished = {
  readonly outcome: Outcome;
  readonly seconds: number;
  readonly route: Route;
  readonly state: ServerState;
};

function noteOperation(instruments: UpstreamsOptions['instruments'], call: Call, finished: Finished): void {
  const { outcome, seconds, route, state } = finished;
  const { entry } = call;
  instruments.clientOperation({
    ...route.connector.place,
    server: entry.server.id,
    method: methodOf(call.intent.permit.operation, state.spokenTo?.era ?? 'modern'),
    ...(state.spokenTo === undefined ? {} : { revision: state.spokenTo.revision }),
    ...(entry.kind === 'tool' ? { tool: entry.name } : {}),
    ...(entry.kind === 'prompt' ? { prompt: entry.name } : {}),
    ...errorOf(outcome),
    seconds,
  });
}

const LOWER_T = 0x74;

type ErrorWords = Pick<AttemptFact, 'errorType' | 'statusCode'>;

const NO_ERROR: ErrorWords = {};
const TOOL_ERROR: ErrorWords = { errorType: 'tool_error' };

/** The JSON-RPC code of an upstream's error, `tool_error` for a tool that says it failed, or our own failure's code. */
function errorOf(outcome: Outcome): ErrorWords {
  if (outcome.kind === 'failed') {
    const { code, upstream } = outcome.failure;
    if (upstream === undefined) return { errorType: code };
    return { errorType: String(upstream.code), statusCode: String(upstream.code) };
  }
  if (outcome.kind !== 'complete') return NO_ERROR;
  const { result } = outcome;
  if (result.kind === 'value') return result.value['isError'] === true ? TOOL_ERROR : NO_ERROR;
  const isError = result.message.members.get('isError');
  return isError !== undefined && result.message.head[isError.valueStart] === LOWER_T ? TOOL_ERROR : NO_ERROR;
}

const notConfigured = (server: ServerId): Failure =>
  failure('server-unavailable', { message: `The server ${server} is not configured any more.` });

const tooMany = (server: ServerId, maxInFlight: number): Failure =>
  failure('overloaded', {
    message: `The server ${server} has ${maxInFlight} calls in flight, as many as it may have. Try again shortly.`,
    retryAfterMs: 1000,
  });

const failed = (of: Failure): Outcome => ({ kind: 'failed', failure: of });

const failureOf = (error: unknown): Failure =>
  error instanceof Refusal ? error.failure : failure('internal', { sent: 'maybe', cause: error });
