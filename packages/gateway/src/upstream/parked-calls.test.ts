/** Many calls that wait for people who never answer leave nothing behind; what they cost while they wait is measured in bench/. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';

import { scriptPath, startChildServer } from '../../../../test/harness/child.ts';
import { until } from '../../../../test/harness/until.ts';
import { createEgress } from '../egress/egress.ts';
import type { Call } from '../model/call.ts';
import type { Outcome } from '../model/outcome.ts';
import { somebody } from '../model/principal.fixture.ts';
import { clientCodecFor, legacyHandshake } from '../protocol/codecs.ts';
import { systemClock, type Clock } from './clock.ts';
import type { Connector } from './connector.ts';
import { createHttpConnector, DEFAULT_HTTP_LIMITS } from './http/http-connector.ts';
import { DEFAULT_PARKING } from './parking.ts';
import { DEFAULT_POOL_LIMITS } from './pool-shelf.ts';
import { liveGroupIds } from './stdio/live-groups.ts';
import { connectorFor } from './testing/stdio-servers.ts';
import { callTool, collectLog, FEEDS, NO_CREDENTIAL, PARKING, sendOptions } from './testing/test-kit.ts';
import { createUpstreams, type Upstreams } from './upstreams.ts';

const CALLS = 1000;
const AT_A_TIME = 50;
const ANSWER_MS = 300_001;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Real time, but for the deadlines of parked calls, which come when the test says so. */
function clockWithDeadlines(): Clock & { readonly deadlines: Set<() => void> } {
  const deadlines = new Set<() => void>();
  return {
    deadlines,
    nowMs: systemClock.nowMs,
    after(ms, callback) {
      if (ms !== ANSWER_MS) return systemClock.after(ms, callback);
      deadlines.add(callback);
      return () => deadlines.delete(callback);
    },
  };
}

async function connectorOf(transport: string, journal: string): Promise<Connector> {
  if (transport === 'stdio') {
    return connectorFor([scriptPath('fixtures/legacy-asking-server.ts'), 'stdio', journal]).connector;
  }
  const server = await startChildServer('fixtures/legacy-asking-server.ts', 'http', journal);
  cleanups.push(() => server.close());
  const egress = createEgress({ connectionsPerOrigin: CALLS + 64 });
  cleanups.push(() => egress.close());
  const codecs = { clientCodecFor, legacyHandshake };
  const common = {
    egress,
    codecs,
    clock: systemClock,
    logger: collectLog(),
    instruments: { logDropped: () => undefined },
  };
  return createHttpConnector({ ...common, url: new URL(server.url), limits: DEFAULT_HTTP_LIMITS });
}

function upstreamsWith(connector: Connector, clock: Clock): Upstreams {
  const upstreams = createUpstreams({
    routeTo: () => ({
      connector,
      limits: DEFAULT_POOL_LIMITS,
      timeouts: { totalMs: 60_000, maxMs: 60_000 },
      maxInFlight: 100,
      retries: 0,
      breaker: undefined,
    }),
    broker: { obtain: () => NO_CREDENTIAL, replace: () => Promise.resolve(false) },
    instruments: {
      clientOperation: () => undefined,
      clientSessionEnded: () => undefined,
      breakerState: () => undefined,
      retried: () => undefined,
    },
    logger: collectLog(),
    clock,
    random: Math.random,
    feeds: FEEDS,
    parking: { ...PARKING, limits: { ...DEFAULT_PARKING, answerMs: ANSWER_MS } },
  });
  cleanups.push(() => upstreams.close());
  return upstreams;
}

/** Of one of many people, each with as many open calls as one may have. */
function greet(index: number): Call {
  const call = callTool('greet', {}, { principal: somebody(`person-${index % 50}`) });
  return { ...call, client: { ...call.client, capabilities: { elicitation: { form: {} } } } };
}

async function parkMany({ send }: Upstreams): Promise<readonly Outcome[]> {
  // Before a server has asked for the first time nobody knows that it asks.
  const outcomes = [await send(greet(0), sendOptions())];
  for (let next = 1; next < CALLS; next += AT_A_TIME) {
    const batch = Array.from({ length: Math.min(AT_A_TIME, CALLS - next) }, (_, index) => greet(next + index));
    outcomes.push(...(await Promise.all(batch.map((call) => send(call, sendOptions())))));
  }
  return outcomes;
}

describe.each(['http', 'stdio'])('a thousand parked calls over %s', (transport) => {
  test(
    'leave no lease, no process and no open call behind when nobody answers in time',
    { timeout: 120_000 },
    async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-parked-'));
      cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
      const journal = path.join(folder, 'journal');
      const clock = clockWithDeadlines();
      const upstreams = upstreamsWith(await connectorOf(transport, journal), clock);

      const outcomes = await parkMany(upstreams);
      expect(outcomes.filter(({ kind }) => kind !== 'input-required')).toEqual([]);
      expect(upstreams.parkedCalls.size).toBe(CALLS);
      // They are nobody's slowness: the server may be called as before, and one upstream has them all.
      expect(upstreams.status('files')).toMatchObject({ inFlight: 0, live: 1, idle: 0 });

      for (const late of clock.deadlines) late();
      expect(upstreams.parkedCalls.size).toBe(0);
      expect(clock.deadlines.size).toBe(0);
      const { live, idle } = upstreams.status('files') ?? {};
      expect(live).toBe(idle);
      const cancelled = (): number =>
        readFileSync(journal, 'utf8')
          .split('\n')
          .filter((deed) => deed === 'cancelled').length;
      await until('every call to be cancelled', () => cancelled() === CALLS, 60_000);

      await upstreams.close();
      await until('the process to end', () => liveGroupIds().length === 0);
    },
  );
});
