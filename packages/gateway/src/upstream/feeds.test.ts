import { describe, expect, it } from 'vitest';

import type { Credential } from '../credential/broker.ts';
import type { GrantKey } from '../credential/grant.ts';
import { somebody } from '../model/principal.fixture.ts';
import type { Principal } from '../model/principal.ts';
import type { Sharing } from '../model/target.ts';
import { DEFAULT_BACKOFF } from './connect-failures.ts';
import type { FeedListener, Told, Upstream } from './connector.ts';
import { createFeeds } from './feeds.ts';
import { UpstreamPool } from './pool.ts';
import { DEFAULT_POOL_LIMITS } from './pool-shelf.ts';
import {
  collectLog,
  manualClock,
  NO_CREDENTIAL,
  settle,
  testServer,
  toyConnector,
  toyUpstream,
} from './testing/test-kit.ts';

type Opened = { readonly asked: Told[]; readonly listener: FeedListener; readonly end: () => void; isClosed: boolean };

type WorldOptions = {
  readonly tells?: (asked: Told) => Told;
  readonly maxFeeds?: number;
  readonly maxUpstreams?: number;
  readonly credentialOf?: (principal: Principal) => Credential;
};

function worldOf(options: WorldOptions = {}) {
  const { tells = (asked) => asked, credentialOf = () => NO_CREDENTIAL } = options;
  const clock = manualClock();
  const opened: Opened[] = [];
  const changed: string[] = [];
  const connector = toyConnector(() => {
    const toy = toyUpstream();
    const upstream: Upstream = {
      ...toy,
      openFeed(listener) {
        const { promise: ended, resolve: end } = Promise.withResolvers<void>();
        const feed: Opened = { asked: [], listener, end, isClosed: false };
        opened.push(feed);
        return {
          ended,
          want(asked) {
            feed.asked.push(asked);
            return Promise.resolve(tells(asked));
          },
          close: () => (feed.isClosed = true),
        };
      },
    };
    return Promise.resolve(upstream);
  });
  const limits = { ...DEFAULT_POOL_LIMITS, maxUpstreams: options.maxUpstreams ?? 16 };
  const pool = new UpstreamPool({ clock, backoff: DEFAULT_BACKOFF, sweepIntervalMs: 1000 });
  const feeds = createFeeds({
    pool,
    clock,
    broker: { obtain: (principal) => credentialOf(principal), replace: () => Promise.resolve(false) },
    routeTo: () => ({ connector, limits }),
    logger: collectLog(),
    random: () => 1,
    ownPrincipal: somebody('gateway'),
    maxFeeds: options.maxFeeds ?? 100,
    listChanged: (server) => void changed.push(server),
  });
  const heard: string[] = [];
  const want = (name: string, uri: string, sharing: Sharing = 'shared') =>
    feeds.resource({ server: testServer({ sharing }), uri, principal: somebody(name) }, (changedUri) =>
      heard.push(`${name} ${changedUri}`),
    );
  const tell = (uri: string): void => {
    for (const { listener, isClosed } of opened) if (!isClosed) listener.hear({ kind: 'resource-updated', uri });
  };
  return { clock, feeds, opened, changed, heard, want, tell, pool };
}

describe('many who want the same', () => {
  it('are told over one feed that asks once, and that ends with the last of them', async () => {
    const { want, opened, tell, heard, feeds } = worldOf();
    const stops = await Promise.all(['alice', 'bob', 'carol'].map((name) => want(name, 'a:1')));
    expect(opened.map(({ asked }) => asked)).toEqual([[{ lists: false, uris: ['a:1'] }]]);
    tell('a:1');
    expect(heard).toEqual(['alice a:1', 'bob a:1', 'carol a:1']);
    stops[0]?.();
    stops[1]?.();
    await settle();
    expect(opened[0]?.isClosed).toBe(false);
    stops[2]?.();
    await settle();
    expect(opened[0]?.isClosed).toBe(true);
    expect(feeds.counts().size).toBe(0);
  });

  it('and other things besides are asked for together', async () => {
    const { want, opened } = worldOf();
    await want('alice', 'a:1');
    const stop = await want('bob', 'a:2');
    expect(opened[0]?.asked.at(-1)).toEqual({ lists: false, uris: ['a:1', 'a:2'] });
    stop?.();
    await settle();
    expect(opened[0]?.asked.at(-1)).toEqual({ lists: false, uris: ['a:1'] });
  });

  it('each with their own session or credential share nothing', async () => {
    const personal = worldOf();
    await Promise.all(['alice', 'bob'].map((name) => personal.want(name, 'a:1', 'principal')));
    expect(personal.opened).toHaveLength(2);
    const credentialOf = ({ name }: Principal): Credential => ({ ...NO_CREDENTIAL, version: name });
    const perCredential = worldOf({ credentialOf });
    await Promise.all(['alice', 'bob'].map((name) => perCredential.want(name, 'a:1')));
    expect(perCredential.opened).toHaveLength(2);
    const [first] = perCredential.opened;
    first?.listener.hear({ kind: 'resource-updated', uri: 'a:1' });
    expect(perCredential.heard).toHaveLength(1);
  });
});

describe('what is not granted', () => {
  it.each<[string, WorldOptions, Sharing]>([
    ['is what the server does not agree to', { tells: () => ({ lists: false, uris: [] }) }, 'shared'],
    ['is everything at a server whose calls each have a session of their own', {}, 'call'],
  ])('%s', async (_, options, sharing) => {
    const { want, feeds } = worldOf(options);
    expect(await want('alice', 'a:1', sharing)).toBeUndefined();
    await settle();
    expect(feeds.counts().size).toBe(0);
  });

  it('is more than half of the sessions of a server, or more feeds than there may be', async () => {
    for (const options of [{ maxUpstreams: 4 }, { maxFeeds: 2 }]) {
      const { want } = worldOf(options);
      const granted = [];
      for (const name of ['alice', 'bob', 'carol']) granted.push(await want(name, 'a:1', 'principal'));
      expect(granted.map((stop) => stop !== undefined)).toEqual([true, true, false]);
    }
  });
});

describe('a feed that is lost', () => {
  it('is opened again after a while, and everyone hears once that something may have been missed', async () => {
    const { want, opened, heard, clock } = worldOf();
    await want('alice', 'a:1');
    opened[0]?.end();
    await settle();
    expect(heard).toEqual([]);
    await clock.advance(1000);
    await settle();
    expect(opened).toHaveLength(2);
    expect(heard).toEqual(['alice a:1']);
  });

  it('is asked for later and later while the server does not agree, and no more once nobody wants it', async () => {
    let agrees = true;
    const { want, opened, clock } = worldOf({ tells: (asked) => (agrees ? asked : { lists: false, uris: [] }) });
    const stop = await want('alice', 'a:1');
    agrees = false;
    opened[0]?.end();
    await settle();
    for (let second = 0; second < 60; second++) await clock.advance(1000);
    expect(opened.length).toBeGreaterThan(3);
    expect(opened.length).toBeLessThan(10);
    stop?.();
    const before = opened.length;
    await clock.advance(600_000);
    expect(opened).toHaveLength(before);
  });
});

describe('a consent that is revoked', () => {
  it("ends the feed that it opened and the session behind it, and nobody else's", async () => {
    let version = 1;
    const credentialOf = ({ key, tenant }: Principal): Credential => ({
      ...NO_CREDENTIAL,
      version: `${key} ${version}`,
      owner: { tenant, principal: key, server: 'files' },
    });
    const { want, opened, heard, clock, feeds, pool } = worldOf({ credentialOf });
    await want('alice', 'a:1', 'principal');
    await want('bob', 'a:1', 'principal');
    version = 2;
    const isAlice = ({ principal }: GrantKey): boolean => principal === somebody('alice').key;
    pool.endOf(isAlice);
    feeds.endOf(isAlice);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    await settle();
    expect(pool.status('files')?.live).toBe(1);
    // With another consent it is heard again, under a session of its own.
    await clock.advance(1000);
    await settle();
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false, false]);
    expect(heard).toEqual(['alice a:1']);
  });
});

describe('lists', () => {
  it("are asked for on the gateway's own account, and every change and loss is told", async () => {
    const { feeds, opened, changed, clock } = worldOf();
    const stop = feeds.lists(testServer());
    await settle();
    expect(opened[0]?.asked).toEqual([{ lists: true, uris: [] }]);
    opened[0]?.listener.hear({ kind: 'list-changed', of: 'tools' });
    expect(changed).toEqual(['files']);
    opened[0]?.end();
    await settle();
    await clock.advance(1000);
    await settle();
    expect(changed).toEqual(['files', 'files']);
    stop();
    await settle();
    expect(feeds.counts().size).toBe(0);
  });

  it('end with the gateway', async () => {
    const { feeds, opened, clock } = worldOf();
    feeds.lists(testServer());
    await settle();
    feeds.close();
    await clock.advance(600_000);
    expect(opened).toHaveLength(1);
    expect(opened[0]?.isClosed).toBe(true);
  });
});
