import { describe, expect, it } from 'vitest';

import { addressKey } from './address-key.ts';
import { createBuckets } from './buckets.ts';
import { createKeyedLimiter } from './keyed-limiter.ts';
import { parseRate } from './rate.ts';

describe('a limit over keys', () => {
  it('counts each key for itself and gives back what does not count', () => {
    const limiter = createKeyedLimiter({ rate: '60/minute', burst: 2, now: () => 0 });
    expect([limiter.allow('a'), limiter.allow('a')]).toEqual([{ allowed: true }, { allowed: true }]);
    expect(limiter.allow('a')).toEqual({ allowed: false, retryAfterMs: 1000, limit: '60/minute' });
    expect(limiter.allow('b')).toEqual({ allowed: true });
    limiter.giveBack('a');
    expect(limiter.allow('a')).toEqual({ allowed: true });
    expect(limiter.allow('a').allowed).toBe(false);
  });

  it('never holds more than its burst, however much is given back', () => {
    const limiter = createKeyedLimiter({ rate: '60/minute', burst: 2, now: () => 0 });
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

describe('parseRate', () => {
  it.each([
    ['600/minute', { count: 600, periodMs: 60_000 }],
    ['1/second', { count: 1, periodMs: 1_000 }],
    [' 10 / hour ', { count: 10, periodMs: 3_600_000 }],
    ['7/day', { count: 7, periodMs: 86_400_000 }],
  ])('reads %s', (text, rate) => {
    expect(parseRate(text)).toEqual({ ok: true, value: rate });
  });

  it.each(['', '600', '600/min', '-1/minute', '1.5/minute', '0/minute', '1e3/minute', '99999999999/day', '1/toString'])(
    'refuses %j and says what is expected',
    (text) => {
      expect(parseRate(text)).toMatchObject({ ok: false, error: expect.stringContaining('600/minute') });
    },
  );
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
