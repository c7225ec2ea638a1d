/** Who shares an upstream with whom, and what is ready before anyone asks. */

import { describe, expect, it } from 'vitest';
import { refuse } from '../model/failure.ts';
import type { Sharing } from '../model/target.ts';
import { DEFAULT_BACKOFF } from './connect-failures.ts';
import { UpstreamPool } from './pool.ts';
import type { PoolRequest } from './pool.ts';
import { DEFAULT_POOL_LIMITS } from './pool-shelf.ts';
import type { Member, PoolLimits } from './pool-shelf.ts';
import { manualClock, NO_CREDENTIAL, settle, testServer, toyConnector, toyUpstream } from './testing/test-kit.ts';
import type { ToyUpstream } from './testing/test-kit.ts';

type Who = { readonly key: string; readonly tenant?: string; readonly session?: string };

function setup(sharing: Sharing, limits: Partial<PoolLimits> = {}) {
  const clock = manualClock();
  const pool = new UpstreamPool({ clock, backoff: DEFAULT_BACKOFF, sweepIntervalMs: 1000 });
  const made: ToyUpstream[] = [];
  const down = { yes: false };
  const connector = toyConnector(() => {
    if (down.yes) return Promise.reject(refuse('server-unavailable'));
    const upstream = toyUpstream();
    made.push(upstream);
    return Promise.resolve(upstream);
  });
  const acquire = async ({ key, tenant = 'default', session }: Who, version = 'none'): Promise<Member> => {
    const request: PoolRequest = {
      server: testServer({ sharing }),
      connector,
      limits: { ...DEFAULT_POOL_LIMITS, ...limits },
      credential: { ...NO_CREDENTIAL, version },
      principal: { key, tenant },
      ...(session === undefined ? {} : { session }),
      signal: new AbortController().signal,
    };
    return pool.acquire(request);
  };
  const release = (member: Member): void => pool.release('files', member);
  return { clock, pool, made, connector, acquire, release, down };
}

const ALICE = { key: 'alice', session: 'one' };
const ROWS: readonly { sharing: Sharing; other: string; who: Who; shared: boolean }[] = [
  { sharing: 'shared', other: 'another principal of the tenant', who: { key: 'bob' }, shared: true },
  { sharing: 'shared', other: 'another tenant', who: { key: 'bob', tenant: 'acme' }, shared: false },
  {
    sharing: 'principal',
    other: 'another session of the same principal',
    who: { ...ALICE, session: 'two' },
    shared: true,
  },
  { sharing: 'principal', other: 'another principal', who: { ...ALICE, key: 'bob' }, shared: false },
  { sharing: 'session', other: 'the same session', who: ALICE, shared: true },
  { sharing: 'session', other: 'another session', who: { ...ALICE, session: 'two' }, shared: false },
  { sharing: 'session', other: 'the same session id in other hands', who: { ...ALICE, key: 'bob' }, shared: false },
  { sharing: 'session', other: 'a client without a session', who: { key: 'alice' }, shared: false },
  { sharing: 'call', other: 'the very same caller', who: ALICE, shared: false },
];

describe('an upstream', () => {
  it.each(ROWS)('of a server with sharing $sharing and $other: shared is $shared', async ({ sharing, who, shared }) => {
    const { acquire } = setup(sharing);
    const first = await acquire(ALICE);
    const second = await acquire(who);
    expect(first.upstream === second.upstream).toBe(shared);
  });

  it('for one call is closed when the call is over, and counts until then', async () => {
    const { acquire, release, made, pool } = setup('call', { maxUpstreams: 2 });
    const [first, second] = [await acquire(ALICE), await acquire(ALICE)];
    const third = acquire(ALICE);
    await settle();
    expect(pool.status('files')).toMatchObject({ live: 2, waiting: 1 });
    release(first);
    expect(made[0]?.closed).toBe(true);
    expect((await third).upstream).toBe(made[2]);
    release(second);
    release(await third);
    await settle();
    expect(pool.status('files')).toMatchObject({ live: 0, idle: 0, closing: 0 });
  });

  it('for one call of a server that does not start is backed off like any other', async () => {
    const { acquire, connector, down } = setup('call');
    down.yes = true;
    for (let count = 0; count < 5; count++) await acquire(ALICE).catch(() => undefined);
    expect(connector.connects).toBe(1);
  });
});

describe('spares', () => {
  const TWO = { spares: { min: 2, max: 4 } };

  it('are made once the server was asked for, and given without a start', async () => {
    const { acquire, made, connector, pool } = setup('principal', TWO);
    await acquire(ALICE);
    await settle();
    expect(pool.status('files')).toMatchObject({ live: 1, spare: 2 });
    const before = connector.connects;
    const bob = await acquire({ key: 'bob' });
    expect(made.indexOf(bob.upstream as ToyUpstream)).toBeLessThan(before);
  });

  it('are replaced when they were given away', async () => {
    const { acquire, pool } = setup('call', TWO);
    for (let count = 0; count < 3; count++) {
      await acquire(ALICE);
      await settle();
    }
    expect(pool.status('files')?.spare).toBeGreaterThanOrEqual(2);
  });

  it('become more when calls find none, up to their bound, and fewer again after a quiet while', async () => {
    const { acquire, pool, clock } = setup('call', { ...TWO, maxUpstreams: 50 });
    await acquire(ALICE);
    await settle();
    await Promise.all(Array.from({ length: 20 }, () => acquire(ALICE)));
    await settle();
    expect(pool.status('files')?.spare).toBe(4);
    await clock.advance(300_000);
    expect(pool.status('files')?.spare).toBe(2);
  });

  it('count among the upstreams of a server, and make room for those who need another', async () => {
    const { acquire, pool } = setup('principal', { ...TWO, maxUpstreams: 3 });
    await acquire(ALICE);
    await settle();
    expect(pool.status('files')).toMatchObject({ live: 1, spare: 2 });
    // Bob's credential is another, so no spare can serve him.
    await acquire({ key: 'bob' }, 'bobs');
    await acquire({ key: 'carol' }, 'carols');
    await settle();
    const { live = 0, spare = 0, closing = 0 } = pool.status('files') ?? {};
    expect(live).toBe(3);
    expect(live + spare + closing).toBeLessThanOrEqual(3);
  });

  it('are never given to a caller with another credential', async () => {
    const { acquire, connector } = setup('principal', TWO);
    await acquire(ALICE);
    await settle();
    const before = connector.connects;
    await acquire({ key: 'bob' }, 'bobs');
    expect(connector.connects).toBe(before + 1);
  });

  it('are made with the new credential once the old one was not asked for any more', async () => {
    const { acquire, release, clock, made, pool } = setup('principal', TWO);
    release(await acquire(ALICE));
    await settle();
    await clock.advance(61_000);
    const first = made.slice(1, 3);
    await acquire({ key: 'bob' }, 'rotated');
    await settle();
    expect(first.every(({ closed }) => closed)).toBe(true);
    expect(pool.status('files')?.spare).toBe(2);
  });

  it('that end are replaced, at a pace that a server in trouble can bear', async () => {
    const { acquire, clock, made, pool, down, connector } = setup('principal', TWO);
    await acquire(ALICE);
    await settle();
    down.yes = true;
    made[1]?.die();
    await settle();
    const before = connector.connects;
    await clock.advance(60_000);
    expect(connector.connects - before).toBeLessThan(12);
    down.yes = false;
    await clock.advance(60_000);
    expect(pool.status('files')?.spare).toBe(2);
  });

  it('are closed with the pool, those that are being made included', async () => {
    const { acquire, made, pool } = setup('principal', TWO);
    await acquire(ALICE);
    await pool.close();
    await settle();
    expect(made.every(({ closed }) => closed)).toBe(true);
  });
});
