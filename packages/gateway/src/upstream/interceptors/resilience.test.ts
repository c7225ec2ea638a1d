/** What a caller sees of a server that fails, hangs or recovers: the interceptors together, as they stand in front of it. */

import { describe, expect, it } from 'vitest';
import { failure, type FailureCode } from '../../model/failure.ts';
import type { Call, SendOptions } from '../../model/call.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { Traits } from '../../model/target.ts';
import { UNKNOWN_TRAITS } from '../../model/target.ts';
import {
  callTool,
  collectLog,
  collectNotices,
  manualClock,
  NO_CREDENTIAL,
  OK,
  FEEDS,
  PARKING,
  sendOptions,
  settle,
  toyConnector,
  toyUpstream,
  type ManualClock,
} from '../testing/test-kit.ts';
import { DEFAULT_POOL_LIMITS } from '../pool-shelf.ts';
import { createUpstreams, type Route } from '../upstreams.ts';
import { DEFAULT_BREAKER } from './circuit-breaker.ts';

const fails = (code: FailureCode, sent: 'no' | 'maybe' | 'yes' = 'maybe', retryAfterMs?: number): Outcome => ({
  kind: 'failed',
  failure: failure(code, { sent, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }),
});

/** Lets time pass until a promise has settled; at most a minute of it. */
async function passing<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const pending = Symbol('pending');
  for (let step = 0; step < 600; step++) {
    await settle();
    const came = await Promise.race([promise, Promise.resolve(pending)]);
    if (came !== pending) break;
    await clock.advance(100);
  }
  return promise;
}

/** A server that answers each attempt with the next of `outcomes`, the last one from then on. */
function serverThat(outcomes: readonly Outcome[], over: Partial<Route> = {}) {
  const clock = manualClock();
  const states: string[] = [];
  const retried: string[] = [];
  let attempts = 0;
  const upstream = toyUpstream(() => {
    const outcome = outcomes[Math.min(attempts, outcomes.length - 1)] ?? OK;
    attempts += 1;
    return Promise.resolve(outcome);
  });
  const route: Route = {
    connector: toyConnector(() => Promise.resolve(upstream)),
    limits: DEFAULT_POOL_LIMITS,
    timeouts: { totalMs: 5000, maxMs: 20_000 },
    maxInFlight: 100,
    retries: 2,
    breaker: undefined,
    ...over,
  };
  const upstreams = createUpstreams({
    routeTo: () => route,
    broker: { obtain: () => NO_CREDENTIAL, replace: () => Promise.resolve(false) },
    instruments: {
      clientOperation: () => undefined,
      clientSessionEnded: () => undefined,
      breakerState: (_server, state) => states.push(state),
      retried: (_server, because) => retried.push(because),
    },
    logger: collectLog(),
    clock,
    random: () => 0.5,
    parking: PARKING,
    feeds: FEEDS,
  });
  /** Sends, and lets time pass until there is an outcome. */
  const send = (call: Call, options: SendOptions = sendOptions()): Promise<Outcome> =>
    passing(clock, upstreams.send(call, options));
  return { clock, states, retried, attempts: () => attempts, send, upstreams };
}

function withTraits(call: Call, traits: Partial<Traits>): Call {
  return { ...call, entry: { ...call.entry, traits: { ...UNKNOWN_TRAITS, ...traits } } };
}

const write = callTool('write');
const read = withTraits(callTool('read'), { readOnly: true });
const put = withTraits(callTool('put'), { idempotent: true });

describe('a call that failed', () => {
  it.each([
    ['that never left is made again, whatever it does', write, fails('server-unavailable', 'no'), 2],
    ['of a read-only tool is made again', read, fails('upstream-closed'), 2],
    ['of an idempotent tool is made again', put, fails('upstream-closed'), 2],
    ['that may have changed something is not', write, fails('upstream-closed'), 1],
    ['with the server’s own error is not', read, fails('upstream-error', 'yes'), 1],
    ['because its answer was no MCP is not', read, fails('upstream-invalid', 'yes'), 1],
    ['because the server wants more time than we wait is not', read, fails('server-unavailable', 'no', 30_000), 1],
    ['because the gateway has no room is not', read, fails('overloaded', 'no'), 1],
  ])('%s', async (_what, call, first, attempts) => {
    const server = serverThat([first, OK]);
    const outcome = await server.send(call);
    expect(server.attempts()).toBe(attempts);
    expect(outcome).toBe(attempts === 1 ? first : OK);
  });

  it('is made again as often as the operator allows, and the last failure is told', async () => {
    const server = serverThat([fails('upstream-closed')], { retries: 2 });
    expect(await server.send(read)).toMatchObject({ failure: { code: 'upstream-closed' } });
    expect(server.attempts()).toBe(3);
    expect(server.retried).toEqual(['upstream-closed', 'upstream-closed']);
  });

  it('is not made again once its caller has seen progress', async () => {
    const server = serverThat([fails('upstream-closed'), OK]);
    await server.send(read, sendOptions({ channel: collectNotices(true) }));
    expect(server.attempts()).toBe(1);
  });

  it('is not made again with the answer to a question', async () => {
    const server = serverThat([fails('upstream-closed'), OK]);
    await server.send(read, sendOptions({ answers: { responses: {} } }));
    expect(server.attempts()).toBe(1);
  });

  it('is not made again when its caller leaves while it waits', async () => {
    const server = serverThat([fails('upstream-closed'), OK]);
    const caller = new AbortController();
    const sent = server.upstreams.send(read, sendOptions({ signal: caller.signal }));
    await settle();
    caller.abort();
    expect(await sent).toMatchObject({ failure: { code: 'upstream-closed' } });
    expect(server.attempts()).toBe(1);
  });

  it('is made again within a budget only: a server that is down is not asked three times as often', async () => {
    const server = serverThat([fails('upstream-closed')]);
    const calls = 200;
    for (let count = 0; count < calls; count++) await server.send(read);
    expect(server.attempts()).toBeGreaterThan(calls);
    expect(server.attempts()).toBeLessThan(calls * 1.2);
  });
});

describe('a server that keeps failing', () => {
  const DOWN = fails('upstream-timeout');
  const BREAKER = { retries: 0, breaker: { ...DEFAULT_BREAKER, openMs: 30_000 } };

  it('is not asked any more, and its callers are told at once, and until when', async () => {
    const server = serverThat([DOWN], BREAKER);
    for (let count = 0; count < DEFAULT_BREAKER.failures; count++) await server.send(write);
    const before = server.attempts();
    const outcome = await server.upstreams.send(write, sendOptions());
    expect(server.attempts()).toBe(before);
    expect(outcome).toMatchObject({ failure: { code: 'server-unavailable', sent: 'no' } });
    expect(outcome).toMatchObject({
      failure: { message: expect.stringMatching(/^The server files has failed too often .* Try again in \d+ s\.$/) },
    });
    expect(server.upstreams.status('files')?.breaker).toBe('open');
    expect(server.states).toEqual(['closed', 'open']);
  });

  it('is asked again after the pause, by one call, and serves all once that one succeeds', async () => {
    const failures = Array.from({ length: DEFAULT_BREAKER.failures }, () => DOWN);
    const server = serverThat([...failures, OK], BREAKER);
    for (const _ of failures) await server.send(write);
    await server.clock.advance(30_000);
    expect(await server.send(write)).toBe(OK);
    expect(await server.send(write)).toBe(OK);
    expect(server.states).toEqual(['closed', 'open', 'half-open', 'closed']);
  });

  it('is not taken for one when it answers with errors', async () => {
    const server = serverThat([fails('upstream-error', 'yes')], BREAKER);
    for (let count = 0; count < 50; count++) await server.send(write);
    expect(server.attempts()).toBe(50);
  });

  it('is not taken for one when it refuses somebody’s credential', async () => {
    const server = serverThat([fails('upstream-refused', 'yes')], BREAKER);
    for (let count = 0; count < 50; count++) await server.send(write);
    expect(server.upstreams.status('files')?.breaker).toBe('closed');
  });
});

describe('a server that is slow', () => {
  /** Never answers; reports progress every second for as long as it is told to. */
  function slow(over: Partial<Route>, progressForMs = 0) {
    const server = serverThat([OK], {
      ...over,
      connector: toyConnector(() =>
        Promise.resolve(
          toyUpstream((_call, { channel, signal }) => {
            const report = (left: number): void => {
              if (left <= 0) return;
              server.clock.after(1000, () => {
                void channel.notify({ kind: 'progress', params: { progress: 1 } });
                report(left - 1000);
              });
            };
            report(progressForMs);
            return new Promise((resolve) =>
              signal.addEventListener('abort', () => {
                const reason: unknown = signal.reason;
                const message = reason instanceof Error ? reason.message : '';
                resolve({ kind: 'failed', failure: failure('upstream-timeout', { sent: 'maybe', message }) });
              }),
            );
          }),
        ),
      ),
    });
    return server;
  }

  async function endsAfter(server: ReturnType<typeof slow>, call = write): Promise<string> {
    const startedMs = server.clock.nowMs();
    const sent = server.upstreams.send(call, sendOptions({ channel: collectNotices(true) }));
    const outcome = await passing(server.clock, sent);
    const message = outcome.kind === 'failed' ? outcome.failure.message : outcome.kind;
    return `${server.clock.nowMs() - startedMs} ms: ${message}`;
  }

  const LIMITS = { timeouts: { totalMs: 5000, maxMs: 20_000 }, retries: 0 };

  it('is given up after the time for the whole', async () => {
    expect(await endsAfter(slow(LIMITS))).toBe('5000 ms: The server files did not answer within 5000 ms.');
  });

  it('is given up sooner when it says nothing at all', async () => {
    const timeouts = { ...LIMITS.timeouts, firstByteMs: 1500 };
    expect(await endsAfter(slow({ ...LIMITS, timeouts }))).toBe(
      '1500 ms: The server files did not begin to answer within 1500 ms.',
    );
  });

  it('gets its time anew with every progress that the caller asked for', async () => {
    expect(await endsAfter(slow(LIMITS, 9000))).toBe('14000 ms: The server files made no progress for 5000 ms.');
  });

  it('is given up at the maximum, progress or not', async () => {
    expect(await endsAfter(slow(LIMITS, 60_000))).toBe(
      '20000 ms: The server files took longer than the maximum, progress or not.',
    );
  });

  it('has the time of its tool where the operator set one', async () => {
    const call = withTraits(callTool('report'), { timeoutMs: 25_000 });
    expect(await endsAfter(slow(LIMITS), call)).toMatch(/^20000 ms/);
    expect(await endsAfter(slow(LIMITS), withTraits(callTool('quick'), { timeoutMs: 300 }))).toMatch(/^300 ms/);
  });
});
