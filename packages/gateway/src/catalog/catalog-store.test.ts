import { afterEach, describe, expect, it } from 'vitest';
import type { Listing } from '../model/outcome.ts';
import { AGGREGATE, callTool, GATEWAY, listingOf, onServer, serverOf, toolItem } from './catalog-fixture.ts';
import { CatalogStore, type CatalogStoreOptions } from './catalog-store.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** Time that stands still until told otherwise. Tasks run in the order of their time. */
function manualTime() {
  let now = 1_000;
  const tasks = new Set<{ at: number; run: () => void }>();
  return {
    clock: () => now,
    delays: () => [...tasks].map(({ at }) => at - now).sort((left, right) => left - right),
    schedule: (delayMs: number, run: () => void) => {
      const task = { at: now + delayMs, run };
      tasks.add(task);
      return () => tasks.delete(task);
    },
    async advance(ms: number) {
      const until = now + ms;
      for (;;) {
        const [next] = [...tasks].filter(({ at }) => at <= until).sort((left, right) => left.at - right.at);
        if (next === undefined) break;
        tasks.delete(next);
        now = next.at;
        next.run();
        await settle();
      }
      now = until;
      await settle();
    },
  };
}

/** Everything that only waits for promises has run when this returns. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

const stores: CatalogStore[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

type Fetch = CatalogStoreOptions['fetchListing'];

function storeOf(servers: readonly string[], fetchListing: Fetch, more: Partial<CatalogStoreOptions> = {}) {
  const time = manualTime();
  const store = new CatalogStore({
    servers: servers.map((id) => serverOf(id)),
    disabled: [],
    gateway: GATEWAY,
    fetchListing,
    clock: time.clock,
    random: () => 0.5,
    schedule: time.schedule,
    logger: SILENT,
    ...more,
  });
  stores.push(store);
  return { store, time };
}

const hangs: Fetch = () => new Promise<Listing>(() => undefined);
const one = listingOf({ tools: [toolItem('a')] });

describe('CatalogStore', () => {
  it('asks all servers at once and has started when each was tried', async () => {
    const asked: string[] = [];
    const { store } = storeOf(['a', 'b'], async (server) => {
      asked.push(server.id);
      if (server.id === 'b') throw new Error('It is away.');
      return one;
    });
    expect(asked).toEqual(['a', 'b']);
    expect(store.current.servers.map(({ state }) => state)).toEqual(['starting', 'starting']);
    await store.started;
    expect(store.current.servers).toMatchObject([
      { state: 'healthy', sinceMs: 1_000, era: 'modern', counts: { tools: 1 } },
      { state: 'unhealthy', sinceMs: 1_000, reason: 'It is away.' },
    ]);
    expect(store.current.find(AGGREGATE, callTool('a_a'))).toBeDefined();
  });

  it('starts without a server that says nothing', async () => {
    const { store, time } = storeOf(['a', 'b'], (server, signal) =>
      server.id === 'a' ? Promise.resolve(one) : hangs(server, signal),
    );
    let started = false;
    const waiting = store.started.then(() => (started = true));
    await time.advance(9_999);
    expect(started).toBe(false);
    await time.advance(1);
    await waiting;
    expect(store.current.servers.map(({ state }) => state)).toEqual(['healthy', 'starting']);
  });

  it('gives up at the deadline, even on a fetch that ignores its signal', async () => {
    let signalled = false;
    const ignoring: Fetch = (server, signal) => {
      signal.addEventListener('abort', () => (signalled = true));
      return hangs(server, signal);
    };
    const { store, time } = storeOf(['a'], ignoring, { timings: { fetchDeadlineMs: 20_000 } });
    await time.advance(20_000);
    expect(signalled).toBe(true);
    expect(store.current.servers).toMatchObject([
      { state: 'unhealthy', reason: 'It did not tell what it offers within 20 s.' },
    ]);
  });

  it('tries again later and later, with scatter, up to a bound', async () => {
    const asked: (() => void)[] = [];
    const { store, time } = storeOf(['a'], () => {
      for (const note of asked) note();
      return Promise.reject(new Error('no'));
    });
    const tries = [time.clock()];
    asked.push(() => tries.push(time.clock()));
    await store.started;
    await settle();
    await time.advance(600_000);
    const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
    expect(gaps.slice(0, 8)).toEqual([750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]);
  });

  it('keeps the last good listing while a server fails, and says since when', async () => {
    let fails = false;
    const { store, time } = storeOf(['a'], () =>
      fails ? Promise.reject(new Error('Broken pipe.')) : Promise.resolve(one),
    );
    await store.started;
    const { version } = store.current;
    fails = true;
    await time.advance(300_000);
    expect(store.current.servers).toMatchObject([
      { state: 'unhealthy', sinceMs: 301_000, reason: 'Broken pipe.', era: 'modern', counts: { tools: 1 } },
    ]);
    expect(store.current.find(onServer('a'), callTool('a'))).toBeDefined();
    expect(store.current.version).toBe(version);
    fails = false;
    await time.advance(1_000);
    expect(store.current.servers).toMatchObject([{ state: 'healthy' }]);
    expect(store.current.problems).toEqual([]);
  });

  it('keeps entry objects and version when a refresh brings nothing new, and changes both when it does', async () => {
    let title = 'old';
    const { store } = storeOf(['a'], async () => listingOf({ tools: [toolItem('a', { title })] }));
    await store.started;
    const before = store.current;
    await store.refresh('a');
    expect(store.current.list(AGGREGATE, 'tools')[0]).toBe(before.list(AGGREGATE, 'tools')[0]);
    expect(store.current.version).toBe(before.version);
    title = 'new';
    await store.refresh('a');
    expect(store.current.list(AGGREGATE, 'tools')[0]).not.toBe(before.list(AGGREGATE, 'tools')[0]);
    expect(store.current.version).not.toBe(before.version);
    expect(before.list(AGGREGATE, 'tools')[0]?.definition.title).toBe('old');
  });

  it.each([
    ['not at all', 0, 300_000],
    ['too short', 1, 30_000],
    ['reasonable', 120_000, 120_000],
    ['too long', 1e9, 3_600_000],
  ])('refreshes by the time to live of the server: %s', async (_, ttlMs, expected) => {
    const { store, time } = storeOf(['a'], async () => listingOf({ ttlMs }));
    await store.started;
    await settle();
    expect(time.delays()).toEqual([expected]);
  });

  it('asks once more when a refresh is wanted while one is running', async () => {
    let asked = 0;
    let release: (() => void) | undefined;
    const { store } = storeOf(['a'], async () => {
      asked += 1;
      if (asked === 1) await new Promise<void>((resolve) => (release = resolve));
      return one;
    });
    const refreshed = Promise.all([store.refresh('a'), store.refresh('a'), store.refresh('a')]);
    release?.();
    await refreshed;
    expect(asked).toBe(2);
    await store.refresh('unknown');
    expect(asked).toBe(2);
  });

  it('tells listeners of each swap until they stop, and survives one that throws', async () => {
    const { store } = storeOf(['a'], async () => one);
    const seen: boolean[] = [];
    store.onSwap(() => {
      throw new Error('mine');
    });
    const stop = store.onSwap((current, previous) => seen.push(current.version === previous.version));
    await store.started;
    await store.refresh('a');
    stop();
    await store.refresh('a');
    expect(seen).toEqual([false, true]);
  });

  it('closes: cancels what runs, asks nobody any more, keeps the last catalog', async () => {
    let asked = 0;
    const { store, time } = storeOf(['a', 'b'], (server, signal) => {
      asked += 1;
      return server.id === 'a' ? Promise.resolve(one) : hangs(server, signal);
    });
    await settle();
    await store.close();
    await store.started;
    await time.advance(1_000_000);
    await store.refresh('a');
    expect(asked).toBe(2);
    expect(time.delays()).toEqual([]);
    expect(store.current.find(onServer('a'), callTool('a'))).toBeDefined();
  });

  it('refuses two servers of one id', () => {
    expect(() => storeOf(['a', 'a'], hangs)).toThrow(RangeError);
  });
});
