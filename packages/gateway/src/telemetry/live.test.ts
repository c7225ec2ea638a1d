import { describe, expect, it } from 'vitest';

import { somebody } from '../model/principal.fixture.ts';
import type { Entry } from '../model/target.ts';
import { UNKNOWN_TRAITS } from '../model/target.ts';
import { CallRates } from './call-rates.ts';
import { Live, type FlightTrail, type Landed } from './live.ts';

const entry = (name: string): Entry => ({
  kind: 'tool',
  server: { id: 'files', version: 'v1', sharing: 'shared' },
  name,
  aggregateName: `files_${name}`,
  definition: {},
  text: '{}',
  hash: '',
  traits: UNKNOWN_TRAITS,
  inputSchema: {},
});

const READ = entry('read');
const OK: Landed = { outcome: 'ok', durationMs: 10 };

type Made = { readonly who?: string; readonly tenant?: string; readonly session?: string; readonly startedMs?: number };

function flightOf(id: string, { who = 'alice', tenant = 'default', session, startedMs = 0 }: Made = {}) {
  const client = { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '::1' } as const;
  const request = {
    id,
    startedMs,
    client: {
      ...client,
      info: { name: 'agent', version: '1' },
      ...(session === undefined ? {} : { session }),
    },
    operation: { kind: 'call-tool', name: 'read', arguments: {} },
  } as const;
  const trail: FlightTrail = { principal: somebody(who, { tenant }), entry: READ, steps: [{ step: 'call' }] };
  return { request, trail };
}

describe('what is going on', () => {
  it('names who is calling what, for how long, and where they are', () => {
    const clock = { ms: 500 };
    const live = new Live({ clockMs: () => clock.ms });
    const flights = ['a', 'b', 'c'].map((id, index) => flightOf(id, { startedMs: 10 * index }));
    for (const { request, trail } of flights) live.began(request, trail);
    const waiting = flightOf('d', { who: 'bob', startedMs: 400 });
    live.began(waiting.request, { ...waiting.trail, steps: [{ step: 'approve' }] });
    const { inFlight } = live.report();
    expect(inFlight).toMatchObject({
      requests: 4,
      byUser: [
        { name: 'alice', count: 3 },
        { name: 'bob', count: 1 },
      ],
      byServer: [{ name: 'files', count: 4 }],
      byClient: [{ name: 'agent', count: 4 }],
      awaitingApproval: 1,
    });
    expect(inFlight.oldest[0]).toEqual({
      request: 'a',
      what: 'files/read',
      who: 'alice',
      client: 'agent',
      step: 'call',
      forMs: 500,
    });
    for (const { request, trail } of flights) live.ended(request, trail, OK);
    expect(live.report().inFlight.requests).toBe(1);
  });

  it('shows a tenant its own calls and nothing else', () => {
    const live = new Live({ clockMs: () => 1_000 });
    for (const tenant of ['acme', 'globex']) {
      const { request, trail } = flightOf(tenant, { tenant, session: tenant });
      live.began(request, trail);
      live.ended(request, trail, OK);
      live.began(request, trail);
    }
    const { inFlight, sessions, last60s } = live.report('acme');
    expect([inFlight.byUser, sessions, last60s[0]?.calls]).toEqual([[{ name: 'alice (acme)', count: 1 }], 1, 1]);
    expect(live.report().last60s).toMatchObject([{ server: 'files', tool: 'read', calls: 2 }]);
    expect(live.report('other')).toMatchObject({ inFlight: { requests: 0 }, sessions: 0, last10s: [] });
  });

  it('forgets sessions that were silent for ten minutes, and holds so many of them', () => {
    const clock = { ms: 0 };
    const live = new Live({ clockMs: () => clock.ms, maxSessions: 2 });
    for (const session of ['one', 'two', 'three']) {
      const { request, trail } = flightOf(session, { session });
      live.ended(request, trail, OK);
    }
    expect(live.report().sessions).toBe(2);
    clock.ms = 10 * 60_000 + 1;
    expect(live.report().sessions).toBe(0);
  });

  it('holds so many requests and no more', () => {
    const live = new Live({ clockMs: () => 0, maxFlights: 2 });
    for (const id of ['a', 'b', 'c']) live.began(flightOf(id).request, flightOf(id).trail);
    expect(live.report().inFlight.requests).toBe(2);
  });
});

describe('how often a tool was called', () => {
  const ok = { became: 'ok', durationMs: 10 } as const;

  it('is told of the last seconds alone', () => {
    const clock = { ms: 100_000 };
    const rates = new CallRates({ clockMs: () => clock.ms });
    for (let second = 0; second < 90; second++) {
      clock.ms = 100_000 + 1000 * second;
      rates.add(READ, 'default', ok);
      rates.add(READ, 'default', second % 2 === 0 ? { became: 'error', durationMs: 200 } : ok);
    }
    const [rate] = rates.report(undefined).last60s;
    expect(rate).toMatchObject({ calls: 120, errors: 30, refused: 0 });
    expect(rate?.perSecond).toBeCloseTo(120 / 59, 1);
    expect(rates.report(undefined).last10s[0]?.calls).toBe(20);
    clock.ms += 61_000;
    expect(rates.report(undefined).last60s).toEqual([]);
  });

  it('comes with percentiles within 9 percent, refused calls left out', () => {
    const rates = new CallRates({ clockMs: () => 5_000 });
    for (let ms = 1; ms <= 100; ms++) rates.add(READ, '', { became: 'ok', durationMs: ms });
    rates.add(READ, '', { became: 'refused', durationMs: 60_000 });
    const [{ p50Ms = 0, p95Ms = 0, calls, refused } = { calls: 0, refused: 0 }] = rates.report('').last10s;
    expect([calls, refused]).toEqual([100, 1]);
    expect(Math.abs(p50Ms / 50 - 1)).toBeLessThan(0.1);
    expect(Math.abs(p95Ms / 95 - 1)).toBeLessThan(0.1);
  });

  it('keeps so many tools apart, whatever there are, and makes room for new ones when old ones are silent', () => {
    const clock = { ms: 0 };
    const rates = new CallRates({ clockMs: () => clock.ms, maxRings: 2 });
    const entries = ['a', 'b', 'c', 'd'].map((name) => entry(name));
    for (const one of entries) rates.add(one, '', ok);
    expect(rates.report(undefined).last60s.map(({ tool, calls }) => `${tool} ${calls}`)).toEqual([
      '_OTHER 2',
      'a 1',
      'b 1',
    ]);
    clock.ms = 120_000;
    for (const one of entries.slice(2)) rates.add(one, '', ok);
    rates.add(entry('e'), '', ok);
    expect(rates.report(undefined).last60s.map(({ tool }) => tool)).toContain('e');
    expect(rates.report('another').last60s).toEqual([]);
  });
});
