/**
 * What servers tell by themselves, for everyone who wants to hear it. Who shares an upstream session shares a feed, and
 * nobody else: what one person's session is told never reaches another person's stream. After a loss, what had been granted
 * is asked for again, later and later; its listener then hears once more, because something may have been missed.
 */

import type { Credential, CredentialBroker } from '../credential/broker.ts';
import type { GrantKey } from '../credential/grant.ts';
import { refuse } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { Feeds, ResourceWish, Stop } from '../model/subscription.ts';
import type { Server, ServerId } from '../model/target.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Clock } from './clock.ts';
import type { Connector } from './connector.ts';
import { Feed, type Lease, type Ticket } from './feed.ts';
import { placeOf, type PoolRequest, type UpstreamPool } from './pool.ts';
import type { Member, PoolLimits } from './pool-shelf.ts';

export type FeedsOptions = {
  readonly pool: UpstreamPool;
  readonly broker: CredentialBroker;
  readonly routeTo: (server: ServerId) => { readonly connector: Connector; readonly limits: PoolLimits } | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1): spreads what is asked for again. */
  readonly random: () => number;
  /** The gateway itself: it asks for what the catalog is made of. */
  readonly ownPrincipal: Principal;
  /** At once, in all. */
  readonly maxFeeds: number;
  /** A server told that what it offers has changed, or may have told so. */
  readonly listChanged: (server: ServerId) => void;
};

export interface ServerFeeds extends Feeds {
  /** How many are open, by server. */
  counts(): ReadonlyMap<ServerId, number>;
  /** Ends what was opened with credentials of these owners, and asks again with what there is then. */
  endOf(isOwner: (owner: GrantKey) => boolean): void;
  /** Idempotent. */
  close(): void;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A server that does not tell of its lists may learn to: it is asked again after this. */
const UNTOLD_PAUSE_MS = 300_000;
const OBTAIN_TIMEOUT_MS = 30_000;

/** A wish from its beginning to its end, across the feeds that carry it. */
class Wish implements Ticket {
  readonly server: Server;
  readonly uri: string | undefined;
  readonly principal: Principal;
  readonly session: string | undefined;
  readonly hear: (uri: string) => void;
  feed: Feed | undefined;
  attempts = 0;
  cancelPause: Stop | undefined;
  isStopped = false;

  constructor(wish: Pick<Wish, 'server' | 'uri' | 'principal' | 'session' | 'hear'>) {
    this.server = wish.server;
    this.uri = wish.uri;
    this.principal = wish.principal;
    this.session = wish.session;
    this.hear = wish.hear;
  }
}

type Held = { readonly feed: Feed; readonly server: ServerId; readonly owner: GrantKey | undefined };

/** @throws RangeError for a bound that cannot be used. */
export function createFeeds(options: FeedsOptions): ServerFeeds {
  const { pool, broker, routeTo, clock, logger, maxFeeds } = options;
  if (!Number.isSafeInteger(maxFeeds) || maxFeeds < 1) throw new RangeError('maxFeeds must be a whole number above 0.');
  const feeds = new Map<string, Held>();
  const stopped = new AbortController();

  const requestFor = async (wish: Wish): Promise<PoolRequest> => {
    const { server, principal, session } = wish;
    const route = routeTo(server.id);
    if (route === undefined) throw refuse('server-unavailable');
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(OBTAIN_TIMEOUT_MS)]);
    const credential: Credential = await broker.obtain(principal, server.id, signal);
    const request = { server, principal, credential, connector: route.connector, limits: route.limits, signal };
    return session === undefined ? request : { ...request, session };
  };

  const held = (server: ServerId): number => [...feeds.values()].filter((one) => one.server === server).length;

  /** Half of a server's upstreams are left to calls. */
  const hasRoom = ({ server, limits }: PoolRequest): boolean =>
    feeds.size < maxFeeds && held(server.id) < Math.max(1, Math.floor(limits.maxUpstreams / 2));

  const feedFor = (request: PoolRequest): Feed | undefined => {
    const { server } = request;
    const { key } = placeOf(request, 0);
    const named = `${server.id}\0${key}`;
    const known = feeds.get(named);
    if (known !== undefined) return known.feed;
    if (!hasRoom(request)) {
      logger.warn({ server: server.id, maxFeeds }, 'Too many feeds: what this server tells is not heard for everyone.');
      return undefined;
    }
    const feed = new Feed({
      lease: async () => leaseOf(pool, server.id, await pool.acquire(request)),
      over(left) {
        feeds.delete(named);
        for (const ticket of left) if (ticket instanceof Wish) again(ticket, FIRST_PAUSE_MS);
      },
    });
    feeds.set(named, { feed, server: server.id, owner: request.credential.owner });
    return feed;
  };

  /** True when it was granted. Never rejects. */
  const place = async (wish: Wish): Promise<boolean> => {
    let feed: Feed | undefined;
    try {
      feed = feedFor(await requestFor(wish));
    } catch (error) {
      logger.debug({ server: wish.server.id, err: error }, 'What a server tells cannot be heard now.');
      return false;
    }
    if (feed === undefined || wish.isStopped) return false;
    wish.feed = feed;
    const granted = await feed.add(wish);
    if (!granted) wish.feed = undefined;
    return granted;
  };

  const again = (wish: Wish, pauseMs: number): void => {
    wish.feed = undefined;
    if (wish.isStopped || stopped.signal.aborted) return;
    const scattered = pauseMs * (0.5 + options.random() / 2);
    wish.cancelPause = clock.after(scattered, () => void retry(wish));
  };

  const retry = async (wish: Wish): Promise<void> => {
    const granted = await place(wish);
    if (wish.isStopped) return;
    if (granted) {
      wish.attempts = 0;
      wish.hear(wish.uri ?? '');
      return;
    }
    wish.attempts += 1;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(wish.attempts, 16));
    again(wish, wish.uri === undefined && wish.attempts > 6 ? UNTOLD_PAUSE_MS : pauseMs);
  };

  const begin = async (wish: Wish): Promise<void> => {
    if (!(await place(wish))) again(wish, FIRST_PAUSE_MS);
  };

  const stop = (wish: Wish): void => {
    if (wish.isStopped) return;
    wish.isStopped = true;
    wish.cancelPause?.();
    wish.feed?.remove(wish);
    wish.feed = undefined;
  };

  return {
    lists(server) {
      // A fresh session for each call tells nothing between calls.
      if (server.sharing === 'call' || stopped.signal.aborted) return () => undefined;
      const hear = (): void => options.listChanged(server.id);
      const wish = new Wish({ server, uri: undefined, principal: options.ownPrincipal, session: undefined, hear });
      void begin(wish);
      return () => stop(wish);
    },
    async resource({ server, uri, principal, session }: ResourceWish, hear) {
      if (server.sharing === 'call' || stopped.signal.aborted) return undefined;
      const wish = new Wish({ server, uri, principal, session, hear });
      if (await place(wish)) return () => stop(wish);
      stop(wish);
      return undefined;
    },
    counts() {
      const counts = new Map<ServerId, number>();
      for (const { server } of feeds.values()) counts.set(server, (counts.get(server) ?? 0) + 1);
      return counts;
    },
    endOf(isOwner) {
      for (const { feed, owner } of feeds.values()) if (owner !== undefined && isOwner(owner)) feed.close();
    },
    close() {
      stopped.abort();
      for (const { feed } of feeds.values()) feed.close();
    },
  };
}

function leaseOf(pool: UpstreamPool, server: ServerId, member: Member): Lease {
  let isHeld = true;
  return {
    upstream: member.upstream,
    release() {
      if (isHeld) pool.release(server, member);
      isHeld = false;
    },
  };
}
