import { describe, expect, it } from 'vitest';

import type { GrantKey } from '../credential/grant.ts';
import { DEFAULT_BACKOFF } from './connect-failures.ts';
import { UpstreamPool, type PoolRequest } from './pool.ts';
import { DEFAULT_POOL_LIMITS } from './pool-shelf.ts';
import {
  manualClock,
  NO_CREDENTIAL,
  testServer,
  toyConnector,
  toyUpstream,
  type ToyUpstream,
} from './testing/test-kit.ts';

const ownerOf = (principal: string): GrantKey => ({ tenant: 'default', principal, server: 'files' });

function setup() {
  const pool = new UpstreamPool({ clock: manualClock(), backoff: DEFAULT_BACKOFF, sweepIntervalMs: 1000 });
  const made: ToyUpstream[] = [];
  const connector = toyConnector(() => {
    const upstream = toyUpstream();
    made.push(upstream);
    return Promise.resolve(upstream);
  });
  const requestOf = (owner: GrantKey | undefined): PoolRequest => ({
    server: testServer({ sharing: 'principal' }),
    connector,
    limits: DEFAULT_POOL_LIMITS,
    credential: { ...NO_CREDENTIAL, ...(owner === undefined ? {} : { version: owner.principal, owner }) },
    principal: { key: owner?.principal ?? 'nobody', tenant: 'default' },
    signal: new AbortController().signal,
  });
  return { pool, made, requestOf };
}

describe('sessions of a consent that was revoked', () => {
  it('end at once where nobody uses them, and those of others go on', async () => {
    const { pool, made, requestOf } = setup();
    for (const owner of [ownerOf('alice'), ownerOf('bob'), undefined]) {
      pool.release('files', await pool.acquire(requestOf(owner)));
    }
    pool.endOf(({ principal }) => principal === 'alice');
    expect(made.map(({ closed }) => closed)).toEqual([true, false, false]);
  });

  it('end with the call that has one, and nobody else is given it', async () => {
    const { pool, made, requestOf } = setup();
    const using = await pool.acquire(requestOf(ownerOf('alice')));
    pool.endOf(() => true);
    expect(made[0]?.closed).toBe(false);
    const next = await pool.acquire(requestOf(ownerOf('alice')));
    expect(next.upstream).not.toBe(using.upstream);
    pool.release('files', using);
    expect(made.map(({ closed }) => closed)).toEqual([true, false]);
  });
});
