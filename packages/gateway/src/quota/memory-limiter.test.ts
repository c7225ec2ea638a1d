import { array, assert, integer, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { principalKey, type Principal } from '../model/principal.ts';
import { UNKNOWN_TRAITS, type Entry, type ToolEntry } from '../model/target.ts';
import { createLimiter, type LimitRule } from './memory-limiter.ts';

function principal(subject: string, options: { tenant?: string; clientId?: string; issuer?: string } = {}): Principal {
  const tenant = options.tenant ?? 'default';
  const issuer = options.issuer ?? 'https://idp.example';
  return {
    key: principalKey(tenant, issuer, subject),
    tenant,
    kind: 'user',
    issuer,
    subject,
    name: subject,
    groups: [],
    scopes: [],
    ...(options.clientId === undefined ? {} : { clientId: options.clientId }),
    credential: { kind: 'jwt' },
    claims: {},
  };
}

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

const READ = tool('files', 'read_file');
const LIST = tool('files', 'list_directory');
const ALICE = principal('alice');
const BOB = principal('bob');

function limiter(rules: readonly LimitRule[], startMs = 0) {
  const clock = { nowMs: startMs };
  const limits = createLimiter({ rules, now: () => clock.nowMs });
  const take = (who: Principal, what: Entry): boolean => limits.consume(who, what).allowed;
  return { clock, take, consume: limits.consume };
}

describe('the limits of the configuration', () => {
  it('allow a burst, then as many as the rate earns back, and say exactly how long to wait', () => {
    const { clock, take, consume } = limiter([
      { per: 'principal', count: 60, periodMs: 60_000, burst: 3, text: '60/minute' },
    ]);
    expect([1, 2, 3].map(() => take(ALICE, READ))).toEqual([true, true, true]);
    expect(consume(ALICE, READ)).toEqual({ allowed: false, retryAfterMs: 1000, limit: '60/minute' });
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
    expect(consume(ALICE, READ)).toEqual({ allowed: false, retryAfterMs: 60_000, limit: '1/minute' });
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
