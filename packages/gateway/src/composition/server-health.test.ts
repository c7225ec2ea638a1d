import { describe, expect, it } from 'vitest';

import type { RecentOutcomes } from '../upstream/outcome-window.ts';
import type { UpstreamStatus } from '../upstream/upstreams.ts';
import { judge, type HealthFacts } from './server-health.ts';

const NOW = 1_000_000;
const QUIET: RecentOutcomes = { calls: 0, unserved: 0 };
const TIMED_OUT = { stage: 'answer', code: 'upstream-timeout', message: 'It hangs.', agoMs: 500 } as const;
const REFUSED = { stage: 'credential', code: 'upstream-refused', message: 'It says 401.', agoMs: 500 } as const;

const upstream = (given: Partial<UpstreamStatus> = {}): UpstreamStatus => ({
  live: 1,
  idle: 1,
  spare: 0,
  connecting: 0,
  closing: 0,
  waiting: 0,
  inFlight: 0,
  recent: QUIET,
  ...given,
});

const facts = (given: Partial<HealthFacts>): HealthFacts => ({
  listed: { state: 'healthy', sinceMs: 0 },
  upstream: upstream(),
  isProcess: false,
  away: [],
  ...given,
});

const unhealthy = { state: 'unhealthy', sinceMs: NOW - 10_000, reason: 'ECONNREFUSED' } as const;

describe('the state of a server', () => {
  const rows: readonly [string, Partial<HealthFacts>, ReturnType<typeof judge>][] = [
    ['is healthy when it was listed and nothing failed', {}, { state: 'healthy' }],
    ['is healthy when it was never called', { upstream: undefined }, { state: 'healthy' }],
    [
      'is starting until it was tried once',
      { listed: { state: 'starting', sinceMs: 0 }, upstream: undefined },
      { state: 'starting' },
    ],
    [
      'is disabled when its entry cannot be used, with the reason',
      { listed: { state: 'disabled', sinceMs: 0, reason: 'line 4' }, upstream: undefined },
      { state: 'disabled', reason: 'line 4' },
    ],
    [
      'is unhealthy when it cannot be listed, with the reason',
      { listed: unhealthy },
      { state: 'unhealthy', reason: 'ECONNREFUSED' },
    ],
    [
      'is needs-login when it refuses our credential for its lists',
      { listed: { ...unhealthy, code: 'upstream-refused', reason: 'It says 401.' } },
      { state: 'needs-login', reason: 'It says 401.' },
    ],
    [
      'is degraded when it cannot be listed, but has served a call since',
      { listed: unhealthy, upstream: upstream({ recent: { ...QUIET, servedAgoMs: 2_000 } }) },
      { state: 'degraded', reason: 'It answers calls, but could not be listed: ECONNREFUSED' },
    ],
    [
      'is unhealthy when it cannot be listed, and the last call was served before that',
      { listed: unhealthy, upstream: upstream({ recent: { ...QUIET, servedAgoMs: 20_000 } }) },
      { state: 'unhealthy', reason: 'ECONNREFUSED' },
    ],
    [
      'is unhealthy while its breaker is open',
      { upstream: upstream({ breaker: 'open', recent: { calls: 10, unserved: 10, lastFailure: TIMED_OUT } }) },
      { state: 'unhealthy', reason: 'Too many calls failed, so it is left alone. It hangs.' },
    ],
    [
      'is degraded while one call tries whether it answers again',
      { upstream: upstream({ breaker: 'half-open', recent: { calls: 10, unserved: 10, lastFailure: TIMED_OUT } }) },
      { state: 'degraded', reason: 'It failed too often; one call tries. It hangs.' },
    ],
    [
      'is degraded when one call in five fails',
      { upstream: upstream({ recent: { calls: 15, unserved: 3, lastFailure: TIMED_OUT, servedAgoMs: 10 } }) },
      { state: 'degraded', reason: '3 of its latest 15 calls failed. It hangs.' },
    ],
    [
      'is healthy when a few calls of many fail',
      { upstream: upstream({ recent: { calls: 20, unserved: 3, lastFailure: TIMED_OUT, servedAgoMs: 10 } }) },
      { state: 'healthy' },
    ],
    [
      'is healthy after one hiccup',
      { upstream: upstream({ recent: { calls: 1, unserved: 1, lastFailure: TIMED_OUT } }) },
      { state: 'healthy' },
    ],
    [
      'is needs-login when its last answer was that our credential is not good',
      { upstream: upstream({ recent: { ...QUIET, lastFailure: REFUSED, servedAgoMs: 9_000 } }) },
      { state: 'needs-login', reason: 'It says 401.' },
    ],
    [
      'is healthy when a call was served after our credential was refused',
      { upstream: upstream({ recent: { ...QUIET, lastFailure: REFUSED, servedAgoMs: 100 } }) },
      { state: 'healthy' },
    ],
    [
      'is degraded when what it depends on is away',
      { away: ['crm-api', 'crm-database'] },
      { state: 'degraded', reason: 'What it depends on does not answer: crm-api, crm-database.' },
    ],
    [
      'is stopped when it is started on demand and nobody needs it',
      { isProcess: true, upstream: upstream({ live: 0, idle: 0 }) },
      { state: 'stopped' },
    ],
    [
      'is healthy when a spare of it is ready',
      { isProcess: true, upstream: upstream({ live: 0, idle: 0, spare: 1 }) },
      { state: 'healthy' },
    ],
    ['is healthy when a process of it runs', { isProcess: true }, { state: 'healthy' }],
  ];

  it.each(rows)('%s', (_, given, expected) => {
    expect(judge(facts(given), NOW)).toEqual(expected);
  });
});
