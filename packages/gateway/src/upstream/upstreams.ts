/**
 * All servers behind one `Send`: finds the credential and a live upstream, makes the call, and lets go of both. What goes
 * wrong on the way is an outcome. One server's slowness is bounded: in time, and in how many calls may be in flight.
 */

import type { CredentialBroker, CredentialRenewal } from '../credential/broker.ts';
import type { GrantKey } from '../credential/grant.ts';
import type { Call, Send } from '../model/call.ts';
import { failure } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import { methodOf } from '../model/operation.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ServerId } from '../model/target.ts';
import type { TaskRef } from '../model/task.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createAttempt, errorOf, failureOf, notConfigured } from './attempt.ts';
import type { Clock } from './clock.ts';
import { DEFAULT_BACKOFF } from './connect-failures.ts';
import type { BackoffOptions } from './connect-failures.ts';
import type { Connector, SpokenTo } from './connector.ts';
import { breaker, servedBy } from './interceptors/breaker.ts';
import { CircuitBreaker } from './interceptors/circuit-breaker.ts';
import type { BreakerOptions, BreakerState } from './interceptors/circuit-breaker.ts';
import { staleAnswer } from './interceptors/stale-answer.ts';
import { retry, RetryBudget } from './interceptors/retry.ts';
import { timeout } from './interceptors/timeout.ts';
import type { CallTimeouts } from './interceptors/timeout.ts';
import { LastAnswers } from './last-answers.ts';
import { withOutage } from './outage-words.ts';
import { OutcomeWindow, type RecentOutcomes } from './outcome-window.ts';
import { createFeeds, type FeedsOptions, type ServerFeeds } from './feeds.ts';
import { createParkedCalls } from './parking.ts';
import type { ParkedCalls, ParkingOptions } from './parking.ts';
import { UpstreamPool } from './pool.ts';
import type { PoolStatus } from './pool.ts';
import type { PoolLimits } from './pool-shelf.ts';
import { HeldTasks } from './tasks/held-tasks.ts';
import { DEFAULT_TASKS, type TaskLimits } from './tasks/task-limits.ts';
import { TaskWaits } from './tasks/task-waits.ts';
import { tasks } from './tasks/tasks.ts';

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
  /** Where a credential can be renewed when a server does not take it. */
  readonly renewal?: CredentialRenewal;
  readonly instruments: Pick<Instruments, 'clientOperation' | 'clientSessionEnded' | 'breakerState' | 'retried'>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  /** Calls that wait for a person. */
  readonly parking: Pick<ParkingOptions, 'replica' | 'limits' | 'newId'>;
  /** Calls that servers answer with tasks. */
  readonly tasks?: TaskLimits;
  readonly feeds: Pick<FeedsOptions, 'ownPrincipal' | 'maxFeeds' | 'listChanged'>;
  readonly backoff?: BackoffOptions;
  readonly sweepIntervalMs?: number;
};

export type UpstreamStatus = PoolStatus & {
  readonly inFlight: number;
  readonly recent: RecentOutcomes;
  readonly spokenTo?: SpokenTo;
  readonly breaker?: BreakerState;
};

export interface Upstreams {
  readonly send: Send;
  readonly parkedCalls: Pick<ParkedCalls, 'drop' | 'size'>;
  /** What servers tell by themselves. */
  readonly feeds: Pick<ServerFeeds, 'lists' | 'resource' | 'counts'>;
  /** Undefined for a server that was never called. */
  status(server: ServerId): UpstreamStatus | undefined;
  /** Ends what was opened with credentials of these owners. */
  endOf(isOwner: (owner: GrantKey) => boolean): void;
  /** Refuses new calls (`draining`) and ends every upstream, in use or not. Idempotent. */
  close(): Promise<void>;
}

type ServerState = {
  inFlight: number;
  spokenTo?: SpokenTo;
  readonly budget: RetryBudget;
  readonly outcomes: OutcomeWindow;
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
    if (state !== undefined) return state;
    state = { inFlight: 0, budget: new RetryBudget(), outcomes: new OutcomeWindow(clock) };
    states.set(server, state);
    return state;
  };

  // Time counts for the whole, retries for what the breaker let through, and the breaker for each attempt.
  const { broker, logger, parking, random } = options;
  const feeds = createFeeds({ ...options.feeds, pool, broker, routeTo, clock, logger, random });
  const parkedCalls = createParkedCalls({ ...parking, clock, logger });
  const limits = options.tasks ?? DEFAULT_TASKS;
  const heldTasks = new HeldTasks({ limits, clock, newId: parking.newId });
  const waits = new TaskWaits({ ...limits, answerMs: parking.limits.answerMs }, clock, parking.newId);
  const attempt = createAttempt({ pool, broker, renewal: options.renewal, parkedCalls, heldTasks, routeTo, stateOf });
  const guarded = breaker({ breakerOf: (server) => breakerOf(server, stateOf(server), options) })(attempt);
  const tried = retry({
    clock,
    random: options.random,
    retriesFor: (call) => routeTo(call.entry.server.id)?.retries ?? 0,
    budgetOf: (server) => stateOf(server).budget,
    onRetry: ({ entry }, { code }) => options.instruments.retried(entry.server.id, code),
  })(guarded);
  const drop = ({ held }: TaskRef): void => heldTasks.drop(held ?? '');
  const ended = tasks({ clock, poll: limits, waits, drop })(tried);
  const inTime = timeout({ clock, timeoutsFor: (call) => timeoutsFor(call, routeTo(call.entry.server.id)) })(ended);

  const made: Send = async (call, sendOptions) => {
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
    const served = servedBy(outcome);
    state.outcomes.note(outcome, served);
    if (outcome.kind === 'failed' && served === 'no') {
      const told = withOutage(outcome.failure, call, state.outcomes.outageMs);
      if (told !== outcome.failure) outcome = failed(told);
    }
    const seconds = (clock.nowMs() - startedMs) / 1000;
    noteOperation(options.instruments, call, { outcome, seconds, route, state });
    return outcome;
  };

  return {
    send: staleAnswer(new LastAnswers(clock), Date.now)(made),
    parkedCalls: {
      drop(id) {
        parkedCalls.drop(id);
        waits.drop(id);
      },
      get size() {
        return parkedCalls.size;
      },
    },
    feeds,
    status(server) {
      const status = pool.status(server);
      const state = states.get(server);
      if (status === undefined || state === undefined) return undefined;
      const { inFlight, spokenTo, circuit, outcomes } = state;
      return {
        ...status,
        inFlight,
        recent: outcomes.recent(),
        ...(spokenTo === undefined ? {} : { spokenTo }),
        ...(circuit === undefined ? {} : { breaker: circuit.breaker.state }),
      };
    },
    endOf(isOwner) {
      pool.endOf(isOwner);
      // They would go on for as long as somebody listens.
      feeds.endOf(isOwner);
    },
    close() {
      // Before their upstreams end: servers are told.
      parkedCalls.close();
      waits.close();
      heldTasks.close();
      feeds.close();
      return pool.close();
    },
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

const tooMany = (server: ServerId, maxInFlight: number): Failure =>
  failure('overloaded', {
    message: `The server ${server} has ${maxInFlight} calls in flight, as many as it may have. Try again shortly.`,
    retryAfterMs: 1000,
  });

const failed = (of: Failure): Outcome => ({ kind: 'failed', failure: of });
