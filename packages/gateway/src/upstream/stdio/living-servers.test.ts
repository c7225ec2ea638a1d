import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { somebody } from '../../model/principal.fixture.ts';
import {
  collectLog,
  testCall,
  callTool,
  NO_CREDENTIAL,
  FEEDS,
  PARKING,
  sendOptions,
  testServer,
} from '../testing/test-kit.ts';
import { connectorFor, FIXTURES, toolText } from '../testing/stdio-servers.ts';
import { systemClock } from '../clock.ts';
import { DEFAULT_LISTING_LIMITS, fetchListing } from '../listing.ts';
import type { FetchedListing } from '../listing.ts';
import { DEFAULT_POOL_LIMITS } from '../pool-shelf.ts';
import type { PoolLimits } from '../pool-shelf.ts';
import { createUpstreams } from '../upstreams.ts';
import type { Upstreams } from '../upstreams.ts';
import { liveGroupIds } from './live-groups.ts';

const require = createRequire(import.meta.url);
const running: Upstreams[] = [];

function serve(args: readonly string[], limits: Partial<PoolLimits> = {}): Upstreams {
  const { connector } = connectorFor(args);
  const upstreams = createUpstreams({
    routeTo: () => ({
      connector,
      limits: { ...DEFAULT_POOL_LIMITS, ...limits },
      timeouts: { totalMs: 15_000, maxMs: 15_000 },
      maxInFlight: 1000,
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
    clock: systemClock,
    random: Math.random,
    parking: PARKING,
    feeds: FEEDS,
    sweepIntervalMs: 20,
  });
  running.push(upstreams);
  return upstreams;
}

const list = (upstreams: Upstreams): Promise<FetchedListing> =>
  fetchListing({
    send: upstreams.send,
    callFor: (operation) => testCall(operation),
    spokenTo: () => upstreams.status('files')?.spokenTo,
    limits: DEFAULT_LISTING_LIMITS,
    signal: new AbortController().signal,
  });

const installed = (name: string): string =>
  path.join(path.dirname(require.resolve(`@modelcontextprotocol/${name}/package.json`)), 'dist/index.js');

const SCRIPTED = path.join(FIXTURES, 'scripted-server.ts');

afterEach(async () => {
  await Promise.all(running.splice(0).map((upstreams) => upstreams.close()));
  if (liveGroupIds().length > 0) throw new Error(`Processes are left: ${liveGroupIds().join(', ')}.`);
});

describe('a listing of a server process', () => {
  it('holds what @modelcontextprotocol/server-filesystem offers, as it wrote it', async () => {
    const { listing, refused } = await list(serve([installed('server-filesystem'), tmpdir()]));
    expect(listing).toMatchObject({ era: 'legacy', freshness: { ttlMs: 0, scope: 'private' } });
    const names = listing.lists.tools.map(({ definition }) => definition['name']);
    expect(names).toContain('read_text_file');
    for (const { definition, text } of listing.lists.tools) expect(JSON.parse(text)).toEqual(definition);
    expect(listing.lists).toMatchObject({ prompts: [], resources: [], templates: [] });
    expect(refused).toEqual([]);
  });

  it('holds what @modelcontextprotocol/server-memory offers', async () => {
    const { listing } = await list(serve([installed('server-memory')]));
    expect(listing.lists.tools.map(({ definition }) => definition['name'])).toContain('read_graph');
  });

  it('holds what a modern server of the official SDK offers', async () => {
    const { listing } = await list(serve([path.join(FIXTURES, 'modern-server.ts')]));
    expect(listing).toMatchObject({
      era: 'modern',
      discovery: { serverInfo: { name: 'modern-fixture' }, instructions: 'Add numbers.' },
    });
    expect(listing.lists.tools.map(({ definition }) => definition['name'])).toEqual(['add']);
  });
});

describe('a server process behind the pool', () => {
  it('is started anew for the next call when it crashed', async () => {
    const upstreams = serve([SCRIPTED]);
    const first = await toolText(upstreams.send(callTool('pid'), sendOptions()));
    expect(await upstreams.send(callTool('crash'), sendOptions())).toMatchObject({
      failure: { code: 'upstream-closed', sent: 'maybe' },
    });
    const second = await toolText(upstreams.send(callTool('pid'), sendOptions()));
    expect(second).not.toBe(first);
  });

  it('is one of each person’s own where nobody said that it may be shared', async () => {
    const upstreams = serve([SCRIPTED]);
    const server = testServer({ sharing: 'principal' });
    const pidFor = (name: string): Promise<string> =>
      toolText(upstreams.send(callTool('pid', {}, { server, principal: somebody(name) }), sendOptions()));
    const [alice, bob, aliceAgain] = [await pidFor('alice'), await pidFor('bob'), await pidFor('alice')];
    expect(bob).not.toBe(alice);
    expect(aliceAgain).toBe(alice);
  });

  it('is a fresh one for each call where the operator wants that, and ends with it', async () => {
    const upstreams = serve([SCRIPTED]);
    const call = callTool('pid', {}, { server: testServer({ sharing: 'call' }) });
    const [first, second] = [
      await toolText(upstreams.send(call, sendOptions())),
      await toolText(upstreams.send(call, sendOptions())),
    ];
    expect(second).not.toBe(first);
    await expect.poll(() => liveGroupIds(), { timeout: 10_000 }).toEqual([]);
  });

  it('was started before anyone asked, where the operator wants spares, and none is left behind', async () => {
    const upstreams = serve([SCRIPTED], { spares: { min: 2, max: 2 } });
    const ask = (name: string): Promise<string> => {
      const of = { server: testServer({ sharing: 'principal' }), principal: somebody(name) };
      return toolText(upstreams.send(callTool('pid', {}, of), sendOptions()));
    };
    await ask('alice');
    await expect.poll(() => upstreams.status('files')?.spare, { timeout: 10_000 }).toBe(2);
    const before = liveGroupIds();
    expect(before).toContain(Number(await ask('bob')));
    await expect.poll(() => upstreams.status('files')?.spare, { timeout: 10_000 }).toBe(2);
    expect(liveGroupIds()).toHaveLength(4);
  });

  it('is stopped when nobody used it for a while', async () => {
    const upstreams = serve([SCRIPTED], { idleTimeoutMs: 50 });
    const pid = Number(await toolText(upstreams.send(callTool('pid'), sendOptions())));
    await expect.poll(() => liveGroupIds(), { timeout: 10_000 }).not.toContain(pid);
    expect(upstreams.status('files')).toMatchObject({ live: 0 });
  });

  it('never makes more processes than the bound, whoever comes, and leaves none', async () => {
    const upstreams = serve([SCRIPTED], { maxUpstreams: 2 });
    const server = testServer({ sharing: 'principal' });
    let most = 0;
    const texts = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const call = callTool('echo', { text: `${index}` }, { server, principal: somebody(`person ${index}`) });
        const text = await toolText(upstreams.send(call, sendOptions()));
        most = Math.max(most, liveGroupIds().length);
        return text;
      }),
    );
    expect(texts).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    expect(most).toBeLessThanOrEqual(2);
  });

  it('tells what is wrong with a server that cannot start, and does not start it again and again', async () => {
    const upstreams = serve([SCRIPTED, 'dies-at-start']);
    const first = await upstreams.send(callTool('echo'), sendOptions());
    const second = await upstreams.send(callTool('echo'), sendOptions());
    for (const outcome of [first, second]) {
      expect(outcome).toMatchObject({
        failure: { code: 'server-unavailable', message: expect.stringContaining('the database is on fire') },
      });
    }
    expect(second).toMatchObject({ failure: { message: expect.stringContaining('It failed once; the next attempt') } });
  });

  it('hears of a timeout, and goes on for the others', async () => {
    const upstreams = serve([SCRIPTED]);
    await upstreams.send(callTool('echo'), sendOptions());
    expect(await upstreams.send(callTool('mute'), sendOptions({ timeoutMs: 50 }))).toMatchObject({
      failure: { code: 'upstream-timeout', sent: 'maybe', message: 'The server files did not answer within 50 ms.' },
    });
    expect(JSON.parse(await toolText(upstreams.send(callTool('cancelled'), sendOptions())))).toHaveLength(1);
  });
});
