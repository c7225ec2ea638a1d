import { describe, expect, it } from 'vitest';
import { Refusal, refuse } from '../model/failure.ts';
import type { Server } from '../model/target.ts';
import { DEFAULT_BACKOFF } from './connect-failures.ts';
import type { Connector } from './connector.ts';
import { UpstreamPool } from './pool.ts';
import type { PoolRequest } from './pool.ts';
import { DEFAULT_POOL_LIMITS } from './pool-shelf.ts';
import { manualClock, NO_CREDENTIAL, settle, testServer, toyConnector, toyUpstream } from './testing/test-kit.ts';
import type { ToyUpstream } from './testing/test-kit.ts';

const by = (key: string, tenant = 'default') => ({ key, tenant });

const PERSONAL: Server = testServer({ sharing: 'principal' });

function setup(limits: Partial<typeof DEFAULT_POOL_LIMITS> = {}) {
  const clock = manualClock();
  const pool = new UpstreamPool({ clock, backoff: { ...DEFAULT_BACKOFF, firstMs: 100 }, sweepIntervalMs: 1000 });
  const made: ToyUpstream[] = [];
  const connector = toyConnector(() => {
    const upstream = toyUpstream();
    made.push(upstream);
    return Promise.resolve(upstream);
  });
  const request = (over: Partial<PoolRequest> = {}): PoolRequest => ({
    server: testServer(),
    connector,
    limits: { ...DEFAULT_POOL_LIMITS, ...limits },
    credential: NO_CREDENTIAL,
    principal: by('alice'),
    signal: new AbortController().signal,
    ...over,
  });
  return { clock, pool, made, connector, request };
}

const failureOf = async (promise: unknown): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error instanceof Refusal ? error.failure : error;
  }
  return 'nothing failed';
};

describe('the upstream pool', () => {
  it('connects once for all who ask at the same time', async () => {
    const { pool, connector, request } = setup();
    const members = await Promise.all(Array.from({ length: 20 }, async () => pool.acquire(request())));
    expect(connector.connects).toBe(1);
    expect(new Set(members).size).toBe(1);
  });

  it('hands out a live upstream without a promise', async () => {
    const { pool, request } = setup();
    await pool.acquire(request());
    expect(pool.acquire(request())).not.toBeInstanceOf(Promise);
  });

  const OTHERS: readonly (readonly [string, Partial<PoolRequest>])[] = [
    ['another principal', { server: PERSONAL, principal: by('bob') }],
    ['another credential', { server: PERSONAL, credential: { ...NO_CREDENTIAL, version: 'rotated' } }],
    ['another version of the server', { server: { ...PERSONAL, version: 'v2' } }],
  ];
  it.each(OTHERS)('gives %s an upstream of its own', async (_who, over) => {
    const { pool, request } = setup();
    const one = await pool.acquire(request({ server: PERSONAL }));
    const other = await pool.acquire(request(over));
    expect(other.upstream).not.toBe(one.upstream);
  });

  it('shares one upstream among principals where the operator said so', async () => {
    const { pool, request } = setup();
    const one = await pool.acquire(request());
    const other = await pool.acquire(request({ principal: by('bob') }));
    expect(other.upstream).toBe(one.upstream);
  });

  it('closes the least recently used idle upstream to make room', async () => {
    const { pool, made, request, clock } = setup({ maxUpstreams: 2 });
    const ask = (principal: string) => pool.acquire(request({ server: PERSONAL, principal: by(principal) }));
    const alice = await ask('alice');
    const bob = await ask('bob');
    await clock.advance(10);
    pool.release('files', bob);
    await clock.advance(10);
    pool.release('files', alice);
    await ask('carol');
    expect(made.map(({ closed }) => closed)).toEqual([false, true, false]);
  });

  it('lets a call wait its turn when none is idle', async () => {
    const { pool, made, request } = setup({ maxUpstreams: 1 });
    const alice = await pool.acquire(request({ server: PERSONAL }));
    const bob = pool.acquire(request({ server: PERSONAL, principal: by('bob') }));
    await settle();
    expect(pool.status('files')).toMatchObject({ live: 1, waiting: 1 });
    pool.release('files', alice);
    expect((await bob).upstream).toBe(made[1]);
    expect(made[0]?.closed).toBe(true);
  });

  it('counts what is being closed until it has ended', async () => {
    const { pool, request, clock } = setup({ maxUpstreams: 1 });
    const slow = Promise.withResolvers<void>();
    const stubborn: Connector = toyConnector(() => Promise.resolve({ ...toyUpstream(), close: () => slow.promise }));
    const alice = await pool.acquire(request({ server: PERSONAL, connector: stubborn }));
    pool.release('files', alice);
    const bob = pool.acquire(request({ server: PERSONAL, principal: by('bob') }));
    await clock.advance(100);
    expect(pool.status('files')).toMatchObject({ live: 0, closing: 1, waiting: 1 });
    slow.resolve();
    await bob;
    expect(pool.status('files')).toMatchObject({ live: 1, closing: 0, waiting: 0 });
  });

  it('refuses a call that waited too long, saying why', async () => {
    const { pool, request, clock } = setup({ maxUpstreams: 1, waitTimeoutMs: 500 });
    await pool.acquire(request({ server: PERSONAL }));
    const bob = failureOf(pool.acquire(request({ server: PERSONAL, principal: by('bob') })));
    await clock.advance(500);
    expect(await bob).toMatchObject({ code: 'overloaded', sent: 'no', message: expect.stringContaining('in use') });
    expect(pool.status('files')).toMatchObject({ waiting: 0 });
  });

  it('refuses at once when too many wait already', async () => {
    const { pool, request } = setup({ maxUpstreams: 1, maxWaiting: 1 });
    await pool.acquire(request({ server: PERSONAL }));
    const waiting = failureOf(pool.acquire(request({ server: PERSONAL, principal: by('bob') })));
    expect(() => pool.acquire(request({ server: PERSONAL, principal: by('carol') }))).toThrow('in use');
    await pool.close();
    expect(await waiting).toMatchObject({ code: 'draining' });
  });

  it('gives up its place in the queue when the caller leaves', async () => {
    const { pool, request } = setup({ maxUpstreams: 1 });
    await pool.acquire(request({ server: PERSONAL }));
    const leaving = new AbortController();
    const bob = failureOf(pool.acquire(request({ server: PERSONAL, principal: by('bob'), signal: leaving.signal })));
    leaving.abort();
    expect(await bob).toMatchObject({ code: 'cancelled' });
    expect(pool.status('files')).toMatchObject({ waiting: 0 });
  });

  it('goes on connecting for the others when one caller leaves, and leaks no lease', async () => {
    const { pool, request } = setup();
    const { promise, resolve } = Promise.withResolvers<ToyUpstream>();
    const connector = toyConnector(() => promise);
    const leaving = new AbortController();
    const left = failureOf(pool.acquire(request({ connector, signal: leaving.signal })));
    const stays = pool.acquire(request({ connector }));
    leaving.abort();
    resolve(toyUpstream());
    const member = await stays;
    expect(await left).toMatchObject({ code: 'cancelled' });
    pool.release('files', member);
    expect(pool.status('files')).toMatchObject({ live: 1, idle: 1 });
  });

  it('closes what nobody used for the idle time, and nothing that is in use', async () => {
    const { pool, made, request, clock } = setup({ idleTimeoutMs: 10_000 });
    const member = await pool.acquire(request());
    await clock.advance(60_000);
    expect(made[0]?.closed).toBe(false);
    pool.release('files', member);
    await clock.advance(9000);
    expect(made[0]?.closed).toBe(false);
    await clock.advance(2000);
    expect(made[0]?.closed).toBe(true);
    expect(pool.status('files')).toMatchObject({ live: 0, closing: 0 });
  });

  it('forgets an upstream that ended, and connects anew', async () => {
    const { pool, made, request } = setup();
    pool.release('files', await pool.acquire(request()));
    made[0]?.die();
    await settle();
    const again = await pool.acquire(request());
    expect(again.upstream).toBe(made[1]);
  });

  it('backs off from a server that cannot be reached, and tells its failure meanwhile', async () => {
    const { pool, request, clock } = setup();
    const connector = toyConnector(() => Promise.reject(refuse('server-unavailable', { message: 'No such program.' })));
    expect(await failureOf(pool.acquire(request({ connector })))).toMatchObject({ message: 'No such program.' });
    expect(() => pool.acquire(request({ connector }))).toThrow('No such program. It failed once; the next attempt');
    await clock.advance(100);
    await failureOf(pool.acquire(request({ connector })));
    await clock.advance(100);
    expect(() => pool.acquire(request({ connector }))).toThrow('2 times in a row');
    expect(connector.connects).toBe(2);
  });

  it('backs off from a crash loop, where every connect succeeds', async () => {
    const { pool, made, request } = setup();
    for (let count = 0; count < 2; count += 1) {
      await pool.acquire(request());
      made[count]?.die();
      await settle();
    }
    expect(() => pool.acquire(request())).toThrow('ended 0 ms after it was ready');
  });

  it('gives up a connect that takes too long', async () => {
    const { pool, request, clock } = setup({ connectTimeoutMs: 3000 });
    const connector = toyConnector(
      (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stop')))),
    );
    const failed = failureOf(pool.acquire(request({ connector })));
    await clock.advance(3000);
    expect(await failed).toMatchObject({ code: 'upstream-timeout', message: expect.stringContaining('3000 ms') });
    expect(pool.status('files')).toMatchObject({ connecting: 0 });
  });

  it('never leaves its bound, whoever comes and goes', async () => {
    const { pool, made, request } = setup({ maxUpstreams: 3 });
    const alive = () => made.filter(({ closed }) => !closed).length;
    let most = 0;
    const person = async (principal: string): Promise<void> => {
      for (let round = 0; round < 5; round += 1) {
        const member = await pool.acquire(request({ server: PERSONAL, principal: by(principal) }));
        most = Math.max(most, alive());
        await settle();
        pool.release('files', member);
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, index) => person(`person-${index}`)));
    expect(most).toBe(3);
    expect(pool.status('files')).toMatchObject({ waiting: 0, connecting: 0 });
  });

  it('ends everything when it is closed, and refuses from then on', async () => {
    const { pool, made, request } = setup();
    await pool.acquire(request());
    await pool.close();
    expect(made[0]?.closed).toBe(true);
    expect(() => pool.acquire(request())).toThrow(Refusal);
  });
});
