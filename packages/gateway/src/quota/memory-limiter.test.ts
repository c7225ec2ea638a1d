import { array, assert, integer, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { somebody } from '../model/principal.fixture.ts';
import type { Principal } from '../model/principal.ts';
import { UNKNOWN_TRAITS, type Entry, type ToolEntry } from '../model/target.ts';
import type { JsonObject } from '../model/json.ts';
import type { Counted, QuotaVerdict } from './limiter.ts';
import { createLimiter, type LimitRule } from './memory-limiter.ts';

const principal = (subject: string, given: Partial<Principal> = {}): Principal =>
  somebody(subject, { issuer: 'https://idp.example', credential: { kind: 'jwt' }, ...given });

function tool(server: string, name: string): ToolEntry {
  return {
    kind: 'tool',
    server: { id: server, version: '1', sharing: 'shared' },
    name,
    aggregateName: `${server}_${name}`,
    definition: {},
    text: '{}',
    hash: '',
    traits: UNKNOWN_TRAITS,
    inputSchema: { type: 'object' },
  };
}

const prompt = (server: string, name: string): Entry => {
  const { inputSchema: _, ...rest } = tool(server, name);
  return { ...rest, kind: 'prompt' };
};

const CALL: Counted['operation'] = { kind: 'call-tool', name: 'read_file', arguments: { path: 'a' } };

const READ = tool('files', 'read_file');
const LIST = tool('files', 'list_directory');
const ALICE = principal('alice');
const BOB = principal('bob');

function limiter(rules: readonly LimitRule[], startMs = 0) {
  const clock = { nowMs: startMs };
  const limits = createLimiter({ rules, now: () => clock.nowMs });
  const consume = (who: Principal, entry: Entry, over: Partial<Counted> = {}) =>
    limits.consume({ principal: who, entry, operation: CALL, address: '127.0.0.1', ...over });
  const take = (who: Principal, what: Entry): boolean => consume(who, what).allowed;
  return { clock, take, consume };
}

describe('the limits of the configuration', () => {
  it('allow a burst, then as many as the rate earns back, and say exactly how long to wait', () => {
    const { clock, take, consume } = limiter([
      { per: 'principal', count: 60, periodMs: 60_000, burst: 3, text: '60/minute' },
    ]);
    expect([1, 2, 3].map(() => take(ALICE, READ))).toEqual([true, true, true]);
    expect(consume(ALICE, READ)).toEqual({ allowed: false, retryAfterMs: 1000, limit: '60/minute', because: 'rate' });
    clock.nowMs = 999;
    expect(consume(ALICE, READ)).toMatchObject({ retryAfterMs: 1 });
    clock.nowMs = 1000;
    expect(take(ALICE, READ)).toBe(true);
    expect(take(ALICE, READ)).toBe(false);
  });

  it('take from every rule that counts the call, or from none', () => {
    const { clock, take, consume } = limiter([
      { per: 'principal', count: 100, periodMs: 60_000, burst: 2, text: '100/minute' },
      { per: 'tool', server: 'files', count: 1, periodMs: 60_000, burst: 1, text: '1/minute' },
    ]);
    expect(take(ALICE, READ)).toBe(true);
    // The tool's bucket is empty: the principal's keeps its second one.
    expect(consume(ALICE, READ)).toEqual({ allowed: false, retryAfterMs: 60_000, limit: '1/minute', because: 'rate' });
    expect(take(ALICE, LIST)).toBe(true);
    expect(consume(ALICE, tool('files', 'other'))).toMatchObject({ limit: '100/minute' });
    clock.nowMs = 60_000;
    expect(take(ALICE, READ)).toBe(true);
  });

  const other = principal('carol', { tenant: 'acme' });
  const viaCli = principal('alice', { clientId: 'cli' });
  const bobViaCli = principal('bob', { clientId: 'cli' });
  const cliElsewhere = principal('bob', { clientId: 'cli', issuer: 'https://other.example' });
  const cases: readonly [string, LimitRule, readonly [Principal, Entry], readonly [Principal, Entry], boolean][] = [
    [
      'two principals',
      { per: 'principal', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [BOB, READ],
      false,
    ],
    [
      'one principal, two tools',
      { per: 'principal', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [ALICE, LIST],
      true,
    ],
    [
      'two principals, one tool',
      { per: 'tool', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [BOB, READ],
      true,
    ],
    [
      'two tools',
      { per: 'tool', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [ALICE, LIST],
      false,
    ],
    [
      'a tool of another server',
      { per: 'tool', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [ALICE, tool('x', 'read_file')],
      false,
    ],
    [
      'one tool, two tenants',
      { per: 'tool', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [other, READ],
      false,
    ],
    [
      'one server',
      { per: 'server', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [BOB, LIST],
      true,
    ],
    [
      'one server, two tenants',
      { per: 'server', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [other, LIST],
      false,
    ],
    [
      'one tenant',
      { per: 'tenant', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [BOB, tool('x', 'y')],
      true,
    ],
    [
      'two tenants',
      { per: 'tenant', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [other, READ],
      false,
    ],
    [
      'one client, two users',
      { per: 'client', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [viaCli, READ],
      [bobViaCli, READ],
      true,
    ],
    [
      'one client id, two issuers',
      { per: 'client', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [viaCli, READ],
      [cliElsewhere, READ],
      false,
    ],
    [
      'no client id, two users',
      { per: 'client', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [BOB, READ],
      false,
    ],
    [
      'another server than the rule names',
      { per: 'tenant', server: 'x', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [ALICE, READ],
      false,
    ],
    [
      'tools that match',
      { per: 'principal', tool: 'read_*', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [ALICE, READ],
      true,
    ],
    [
      'tools that do not match',
      { per: 'principal', tool: 'write*', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, READ],
      [ALICE, READ],
      false,
    ],
    [
      'a prompt under a rule for tools',
      { per: 'tool', count: 1, periodMs: 3_600_000, burst: 1, text: '1/hour' },
      [ALICE, prompt('files', 'p')],
      [ALICE, prompt('files', 'p')],
      false,
    ],
  ];
  it.each(cases)('count %s in one bucket or in two', (...[, rule, first, second, shared]) => {
    const { take } = limiter([rule]);
    expect(take(...first)).toBe(true);
    expect(take(...second)).toBe(!shared);
  });

  it.each([
    [{ count: 0, periodMs: 1000, burst: 1 }],
    [{ count: 1, periodMs: 0, burst: 1 }],
    [{ count: 1, periodMs: 1000, burst: 0 }],
    [{ count: 1, periodMs: 1000, burst: 1.5 }],
  ])('are refused when they make no sense: %j', (rate) => {
    expect(() => createLimiter({ rules: [{ per: 'principal', text: 'x', ...rate }], now: () => 0 })).toThrow(
      RangeError,
    );
  });

  it('never let more than the burst and what the rate earned through, in any stretch of time', () => {
    assert(
      property(
        record({ count: integer({ min: 1, max: 50 }), burst: integer({ min: 1, max: 20 }) }),
        array(integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 300 }),
        ({ count, burst }, gapsMs) => {
          const { clock, take } = limiter([{ per: 'principal', count, burst, periodMs: 1000, text: '' }], 12_345.678);
          const allowedAtMs: number[] = [];
          for (const gapMs of gapsMs) {
            clock.nowMs += gapMs;
            if (take(ALICE, READ)) allowedAtMs.push(clock.nowMs);
          }
          allowedAtMs.forEach((fromMs, from) => {
            allowedAtMs.slice(from).forEach((toMs, through) => {
              const earned = ((toMs - fromMs) * count) / 1000;
              expect(through + 1).toBeLessThanOrEqual(burst + Math.floor(earned + 1e-6));
            });
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('name a wait after which the call is allowed, and before which it is not', () => {
    assert(
      property(integer({ min: 1, max: 997 }), integer({ min: 1, max: 9 }), (count, burst) => {
        const { clock, take, consume } = limiter(
          [{ per: 'principal', count, burst, periodMs: 60_000, text: '' }],
          1e9 / 3,
        );
        for (let taken = 0; taken < burst; taken++) expect(take(ALICE, READ)).toBe(true);
        const verdict = consume(ALICE, READ);
        if (verdict.allowed) throw new Error('the bucket should be empty');
        const startMs = clock.nowMs;
        clock.nowMs = startMs + verdict.retryAfterMs - 1;
        expect(take(ALICE, READ)).toBe(false);
        clock.nowMs = startMs + verdict.retryAfterMs;
        expect(take(ALICE, READ)).toBe(true);
      }),
    );
  });
});

const callOf = (args: JsonObject): Partial<Counted> => ({
  operation: { kind: 'call-tool', name: 'read_file', arguments: args },
});

describe('the same call again and again', () => {
  const RULE: LimitRule = { per: 'call', count: 3, periodMs: 60_000, burst: 3, text: '3/minute for one call' };

  it('is stopped, and nothing else is', () => {
    const { consume } = limiter([RULE]);
    const same = (): boolean => consume(ALICE, READ, callOf({ path: 'a' })).allowed;
    expect([same(), same(), same()]).toEqual([true, true, true]);
    expect(consume(ALICE, READ, callOf({ path: 'a' }))).toMatchObject({ allowed: false, because: 'repeated' });
    expect(consume(ALICE, READ, callOf({ path: 'b' }))).toMatchObject({ allowed: true });
    expect(consume(ALICE, LIST, callOf({ path: 'a' }))).toMatchObject({ allowed: true });
    expect(consume(BOB, READ, callOf({ path: 'a' }))).toMatchObject({ allowed: true });
  });

  it('is allowed again after a while', () => {
    const { clock, consume } = limiter([RULE]);
    for (let count = 0; count < 4; count++) consume(ALICE, READ, callOf({ path: 'a' }));
    clock.nowMs = 20_000;
    expect(consume(ALICE, READ, callOf({ path: 'a' })).allowed).toBe(true);
  });

  it('counts tools only: reading a prompt twice is no loop', () => {
    const { consume } = limiter([RULE]);
    for (let count = 0; count < 10; count++) expect(consume(ALICE, prompt('files', 'greet')).allowed).toBe(true);
  });

  it('is told apart however the names are put together', () => {
    const { consume } = limiter([{ ...RULE, count: 1, burst: 1 }]);
    expect(consume(ALICE, tool('a', 'b/c'), callOf({})).allowed).toBe(true);
    expect(consume(ALICE, tool('a', 'b'), callOf({ c: {} })).allowed).toBe(true);
  });
});

describe('the blast radius', () => {
  it('of tools with a high risk is a number of calls for each principal', () => {
    const { consume } = limiter([
      { per: 'principal', risk: 'high', count: 2, periodMs: 3_600_000, burst: 2, text: '2/hour on tools of high risk' },
    ]);
    const drop: Entry = { ...tool('db', 'drop'), traits: { ...UNKNOWN_TRAITS, risk: 'high' } };
    const erase: Entry = { ...tool('db', 'erase'), traits: { ...UNKNOWN_TRAITS, risk: 'high' } };
    expect([consume(ALICE, drop), consume(ALICE, erase), consume(ALICE, drop)].map(({ allowed }) => allowed)).toEqual([
      true,
      true,
      false,
    ]);
    expect(consume(ALICE, READ).allowed).toBe(true);
    expect(consume(BOB, drop).allowed).toBe(true);
  });
});

describe('a limit per address', () => {
  it('counts whoever calls from there, one IPv6 network as one', () => {
    const { consume } = limiter([{ per: 'address', count: 1, periodMs: 60_000, burst: 1, text: '1/minute' }]);
    expect(consume(ALICE, READ, { address: '2001:db8::1' }).allowed).toBe(true);
    expect(consume(BOB, READ, { address: '2001:db8::2' }).allowed).toBe(false);
    expect(consume(BOB, READ, { address: '192.0.2.1' }).allowed).toBe(true);
  });
});

describe('calls at the same time', () => {
  const TWO: LimitRule = { per: 'principal', concurrent: 2, text: '2 at a time per principal' };

  const granted = (verdict: QuotaVerdict): (() => void) => {
    if (!verdict.allowed || verdict.release === undefined) throw new Error('no place was given');
    return verdict.release;
  };

  it('are as many as the limit says, for each on their own, and a place that was given back is free', () => {
    const { consume } = limiter([TWO]);
    const first = granted(consume(ALICE, READ));
    granted(consume(ALICE, LIST));
    expect(consume(ALICE, READ)).toEqual({
      allowed: false,
      retryAfterMs: 1000,
      limit: '2 at a time per principal',
      because: 'in-flight',
    });
    expect(consume(BOB, READ).allowed).toBe(true);
    first();
    expect(consume(ALICE, READ).allowed).toBe(true);
  });

  it('give a place back once only, however often they end', () => {
    const { consume } = limiter([{ ...TWO, concurrent: 1 }]);
    const first = granted(consume(ALICE, READ));
    first();
    first();
    granted(consume(ALICE, READ));
    first();
    expect(consume(ALICE, READ).allowed).toBe(false);
  });

  it('take from every limit or from none', () => {
    const { clock, consume } = limiter([
      TWO,
      { per: 'server', concurrent: 1, text: '1 at a time per server' },
      { per: 'principal', count: 1, periodMs: 1000, burst: 1, text: '1/second' },
    ]);
    const first = granted(consume(ALICE, READ));
    // Refused by the server's limit, so the principal's second place is still there; then by the rate, so all are.
    expect(consume(ALICE, READ)).toMatchObject({ limit: '1 at a time per server' });
    first();
    expect(consume(ALICE, READ)).toMatchObject({ because: 'rate' });
    clock.nowMs = 1000;
    granted(consume(ALICE, READ))();
  });

  it('refuse a number that makes no sense', () => {
    for (const concurrent of [0, -1, 1.5, Number.NaN]) {
      expect(() => limiter([{ ...TWO, concurrent }])).toThrow(RangeError);
    }
  });
});
