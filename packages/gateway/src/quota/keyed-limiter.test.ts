import { describe, expect, it } from 'vitest';

import { addressKey } from './address-key.ts';
import { createBuckets } from './buckets.ts';
import { createKeyedLimiter } from './keyed-limiter.ts';

describe('a limit over keys', () => {
  it('counts each key for itself and gives back what does not count', () => {
    const limiter = createKeyedLimiter({ count: 60, periodMs: 60_000, burst: 2, text: '60/minute', now: () => 0 });
    expect([limiter.allow('a'), limiter.allow('a')]).toEqual([{ allowed: true }, { allowed: true }]);
    expect(limiter.allow('a')).toEqual({ allowed: false, retryAfterMs: 1000, limit: '60/minute', because: 'rate' });
    expect(limiter.allow('b')).toEqual({ allowed: true });
    limiter.giveBack('a');
    expect(limiter.allow('a')).toEqual({ allowed: true });
    expect(limiter.allow('a').allowed).toBe(false);
  });

  it('never holds more than its burst, however much is given back', () => {
    const limiter = createKeyedLimiter({ count: 60, periodMs: 60_000, burst: 2, text: '60/minute', now: () => 0 });
    for (let times = 0; times < 5; times++) limiter.giveBack('a');
    expect([1, 2, 3].map(() => limiter.allow('a').allowed)).toEqual([true, true, false]);
  });
});

describe('buckets', () => {
  it('stay below their bound, forget full ones first and then the fullest', () => {
    const buckets = createBuckets(3);
    const add = (key: string, tatMs: number, nowMs: number): void => {
      buckets.of(key, nowMs).tatMs = tatMs;
    };
    add('empty', 900, 0);
    add('full', 50, 0);
    add('half', 500, 0);
    add('new', 700, 100);
    add('newer', 800, 100);
    expect(buckets.size).toBe(3);
    expect(['empty', 'new', 'newer'].map((key) => buckets.of(key, 100).tatMs)).toEqual([900, 700, 800]);
  });

  it('stay below their bound under a flood of keys', () => {
    const buckets = createBuckets(100);
    for (let key = 0; key < 10_000; key++) buckets.of(`key ${key}`, key).tatMs = key + 1_000_000;
    expect(buckets.size).toBe(100);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuse the bound %s', (maxKeys) => {
    expect(() => createBuckets(maxKeys)).toThrow(RangeError);
  });
});

describe('addressKey', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8:1:2:aaaa::1', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002:bbbb:0:0:9', '2001:db8:1:2::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('of %s is %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});
