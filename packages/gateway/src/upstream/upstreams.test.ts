import { describe, expect, it, vi } from 'vitest';
import type { CredentialBroker } from '../credential/broker.ts';
import { failure, refuse } from '../model/failure.ts';
import type { Outcome } from '../model/outcome.ts';
import { Secret } from '../model/secret.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Connector } from './connector.ts';
import { DEFAULT_POOL_LIMITS } from './pool-shelf.ts';
import {
  callTool,
  collectLog,
  manualClock,
  NO_CREDENTIAL,
  OK,
  FEEDS,
  PARKING,
  resultText,
  sendOptions,
  settle,
  testCall,
  toyConnector,
  toyUpstream,
} from './testing/test-kit.ts';
import { createUpstreams } from './upstreams.ts';
import type { Route } from './upstreams.ts';

const CALM = { timeouts: { totalMs: 5000, maxMs: 5000 }, maxInFlight: 100, retries: 0, breaker: undefined } as const;

const NO_OTHER = () => Promise.resolve(false);
const BROKER: CredentialBroker = { obtain: () => NO_CREDENTIAL, replace: NO_OTHER };

function setup(connector: Connector, over: Partial<Route> = {}, broker = BROKER) {
  const clock = manualClock();
  const clientOperation = vi.fn<Instruments['clientOperation']>();
  const route: Route = { connector, limits: DEFAULT_POOL_LIMITS, ...CALM, ...over };
  const upstreams = createUpstreams({
    routeTo: (server) => (server === 'files' ? route : undefined),
    broker,
    instruments: {
      clientOperation,
      clientSessionEnded: () => undefined,
      breakerState: () => undefined,
      retried: () => undefined,
    },
    logger: collectLog(),
    clock,
    random: () => 0.5,
    parking: PARKING,
    feeds: FEEDS,
  });
  return { ...upstreams, clock, clientOperation };
}

const answering = (outcome: Outcome) =>
  toyConnector(() => Promise.resolve(toyUpstream(() => Promise.resolve(outcome))));

/** Never answers; hears of an abort as a real upstream does. */
const hanging = () =>
  toyConnector(() =>
    Promise.resolve(
      toyUpstream(
        (_call, { signal }) =>
          new Promise((resolve) =>
            signal.addEventListener('abort', () => {
              const reason: unknown = signal.reason;
              resolve({ kind: 'failed', failure: failure('upstream-timeout', { sent: 'maybe', cause: reason }) });
            }),
          ),
      ),
    ),
  );

const FAILED_CLOSED: Outcome = { kind: 'failed', failure: failure('upstream-closed', { sent: 'no' }) };

describe('sending to a server', () => {
  it('returns its outcome and notes one operation', async () => {
    const { send, clientOperation, status } = setup(answering(OK));
    expect(await send(callTool('echo'), sendOptions())).toEqual(OK);
    expect(clientOperation).toHaveBeenCalledExactlyOnceWith({
      server: 'files',
      method: 'tools/call',
      revision: '2026-07-28',
      tool: 'echo',
      transport: 'pipe',
      seconds: 0,
    });
    expect(status('files')).toMatchObject({
      inFlight: 0,
      idle: 1,
      spokenTo: { era: 'modern', revision: '2026-07-28', transport: 'stdio' },
    });
  });

  const ERROR_TYPES: readonly (readonly [string, Outcome, string])[] = [
    ['its own code', { kind: 'failed', failure: failure('upstream-invalid') }, 'upstream-invalid'],
    [
      'the JSON-RPC code of the server',
      { kind: 'failed', failure: failure('upstream-error', { upstream: { code: -32050, message: 'x' } }) },
      '-32050',
    ],
    ['tool_error', { kind: 'complete', result: { kind: 'value', value: { isError: true } } }, 'tool_error'],
  ];
  it.each(ERROR_TYPES)('labels what went wrong with %s', async (_what, outcome, errorType) => {
    const { send, clientOperation } = setup(answering(outcome));
    await send(callTool('echo'), sendOptions());
    expect(clientOperation).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ errorType }));
  });

  it("gives the caller's own token to who obtains credentials, and no server's side", async () => {
    const given: unknown[] = [];
    const connector = toyConnector(() =>
      Promise.resolve(
        toyUpstream((_call, options) => {
          given.push(options);
          return Promise.resolve(OK);
        }),
      ),
    );
    const subject = new Secret('of-the-caller');
    const obtain = vi.fn<CredentialBroker['obtain']>(() => NO_CREDENTIAL);
    const { send } = setup(connector, {}, { obtain, replace: NO_OTHER });
    await send(callTool('echo'), { ...sendOptions(), subject });
    expect(obtain.mock.calls.map(([, , , token]) => token)).toEqual([subject]);
    expect(given).toHaveLength(1);
    expect(given[0]).not.toHaveProperty('subject');
  });

  it('makes an outcome of a credential that cannot be had, without starting anything', async () => {
    const connector = answering(OK);
    const broker: CredentialBroker = {
      obtain: () => Promise.reject(refuse('server-unavailable', { message: 'The file /run/secrets/x is missing.' })),
      replace: NO_OTHER,
    };
    const { send } = setup(connector, {}, broker);
    expect(await send(callTool('echo'), sendOptions())).toMatchObject({
      kind: 'failed',
      failure: { code: 'server-unavailable', sent: 'no', message: 'The file /run/secrets/x is missing.' },
    });
    expect(connector.connects).toBe(0);
  });

  it('makes an outcome of a connect that fails', async () => {
    const { send } = setup(toyConnector(() => Promise.reject(refuse('upstream-invalid'))));
    expect(await send(callTool('echo'), sendOptions())).toMatchObject({
      failure: { code: 'upstream-invalid', sent: 'no' },
    });
  });

  it('makes an outcome of a fault of our own, and gives the upstream back', async () => {
    const broken = toyConnector(() => Promise.resolve(toyUpstream(() => Promise.reject(new TypeError('oops')))));
    const { send, status } = setup(broken);
    expect(await send(callTool('echo'), sendOptions())).toMatchObject({ failure: { code: 'internal', sent: 'maybe' } });
    expect(status('files')).toMatchObject({ inFlight: 0, idle: 1 });
  });

  it('refuses a server that is not configured', async () => {
    const { send } = setup(answering(OK));
    const server = { id: 'gone', version: 'v1', sharing: 'shared' } as const;
    expect(await send(callTool('echo', {}, { server }), sendOptions())).toMatchObject({
      failure: { code: 'server-unavailable', message: 'The server gone is not configured any more.' },
    });
  });
});

describe('the time limit', () => {
  it.each([
    ['the operator’s', 20_000, 5000],
    ['the caller’s', 800, 800],
  ])('ends a hanging call at %s, when that is the shorter', async (_whose, timeoutMs, afterMs) => {
    const { send, clock, status } = setup(hanging());
    const outcome = send(callTool('echo'), sendOptions({ timeoutMs }));
    await clock.advance(afterMs - 1);
    expect(status('files')).toMatchObject({ inFlight: 1 });
    await clock.advance(1);
    expect(await outcome).toMatchObject({
      failure: {
        code: 'upstream-timeout',
        cause: { message: `The server files did not answer within ${afterMs} ms.` },
      },
    });
    expect(status('files')).toMatchObject({ inFlight: 0, idle: 1 });
  });

  it('counts the start of the server, too', async () => {
    const { send, clock } = setup(toyConnector(() => new Promise(() => undefined)));
    const outcome = send(callTool('echo'), sendOptions());
    await clock.advance(5000);
    expect(await outcome).toMatchObject({ failure: { code: 'upstream-timeout', sent: 'no' } });
  });

  it('goes on until a streamed result was read, and keeps the upstream in use until then', async () => {
    const streamed: Outcome = {
      kind: 'complete',
      result: {
        kind: 'message',
        message: {
          era: 'modern',
          head: Buffer.from('{"id":1,"result":{"a":'),
          rest: (async function* rest() {
            yield Buffer.from('1}}');
          })(),
          id: { start: 6, end: 7 },
          resultStart: 17,
          members: new Map(),
        },
      },
    };
    const { send, status } = setup(answering(streamed));
    const outcome = await send(callTool('echo'), sendOptions());
    expect(status('files')).toMatchObject({ idle: 0 });
    expect(await resultText(outcome)).toBe('{"a":1}');
    expect(status('files')).toMatchObject({ idle: 1 });
  });

  it('lets go of a streamed result that nobody reads', async () => {
    const never: Outcome = {
      kind: 'complete',
      result: {
        kind: 'message',
        message: {
          era: 'modern',
          head: new Uint8Array(),
          rest: (async function* rest() {})(),
          id: { start: 0, end: 0 },
          resultStart: 0,
          members: new Map(),
        },
      },
    };
    const { send, status, clock } = setup(answering(never));
    await send(callTool('echo'), sendOptions());
    await clock.advance(5000);
    expect(status('files')).toMatchObject({ idle: 1 });
  });
});

describe('the bulkhead', () => {
  it('refuses what is too much for one server, and frees the place afterwards', async () => {
    const { send, clock } = setup(hanging(), { maxInFlight: 2 });
    const two = [send(callTool('echo'), sendOptions()), send(callTool('echo'), sendOptions())];
    expect(await send(callTool('echo'), sendOptions())).toMatchObject({
      failure: { code: 'overloaded', sent: 'no', message: expect.stringContaining('2 calls in flight') },
    });
    await clock.advance(5000);
    await Promise.all(two);
    const again = send(callTool('echo'), sendOptions());
    await settle();
    await clock.advance(5000);
    expect(await again).toMatchObject({ failure: { code: 'upstream-timeout' } });
  });
});

describe('an upstream that had ended', () => {
  it('is replaced, and the call that never left is made once more', async () => {
    const upstreams = [toyUpstream(() => Promise.resolve(FAILED_CLOSED)), toyUpstream()];
    const connector = toyConnector(() => Promise.resolve(upstreams.shift() ?? toyUpstream()));
    const { send } = setup(connector);
    expect(await send(callTool('echo'), sendOptions())).toEqual(OK);
    expect(connector.connects).toBe(2);
  });

  it('is replaced once only for one call', async () => {
    const connector = answering(FAILED_CLOSED);
    const { send } = setup(connector);
    expect(await send(callTool('echo'), sendOptions())).toEqual(FAILED_CLOSED);
    expect(connector.connects).toBe(2);
  });

  it('means no second attempt when the request may have arrived', async () => {
    const maybe: Outcome = { kind: 'failed', failure: failure('upstream-closed', { sent: 'maybe' }) };
    const connector = answering(maybe);
    const { send } = setup(connector);
    expect(await send(callTool('echo'), sendOptions())).toEqual(maybe);
    expect(connector.connects).toBe(1);
  });
});

describe('whoever watches a call', () => {
  it('sees each attempt, as whom it was made, whom it reached and how it ended', async () => {
    const upstreams = [toyUpstream(() => Promise.resolve(FAILED_CLOSED)), toyUpstream()];
    const { send } = setup(toyConnector(() => Promise.resolve(upstreams.shift() ?? toyUpstream())));
    const ended: unknown[] = [];
    const watch = { attempt: () => ({ ended: (end: unknown) => void ended.push(end) }) };
    await send(callTool('echo'), { ...sendOptions(), watch });
    const reached = { credential: 'none', upstream: { revision: '2026-07-28', transport: 'stdio' } };
    expect(ended).toEqual([
      { ...reached, outcome: 'upstream-closed', errorType: 'upstream-closed' },
      { ...reached, outcome: 'ok' },
    ]);
  });

  it('hears what a process wrote to stderr while a call failed', async () => {
    const lines: string[] = ['earlier'];
    const stderr = { mark: () => lines.length, since: (mark: number) => lines.slice(mark) };
    const failing = toyUpstream(() => {
      lines.push('out of memory');
      return Promise.resolve({ kind: 'complete', result: { kind: 'value', value: { isError: true } } });
    });
    const { send } = setup(toyConnector(() => Promise.resolve({ ...failing, stderr })));
    const ended: unknown[] = [];
    await send(callTool('echo'), {
      ...sendOptions(),
      watch: { attempt: () => ({ ended: (end: unknown) => void ended.push(end) }) },
    });
    expect(ended).toMatchObject([{ outcome: 'tool_error', stderr: ['out of memory'] }]);
  });
});

describe('closing', () => {
  it('refuses new calls and ends every upstream', async () => {
    const upstream = toyUpstream();
    const { send, close } = setup(toyConnector(() => Promise.resolve(upstream)));
    await send(testCall({ kind: 'ping' }), sendOptions());
    await close();
    expect(upstream.closed).toBe(true);
    expect(await send(callTool('echo'), sendOptions())).toMatchObject({ failure: { code: 'draining', sent: 'no' } });
  });
});
