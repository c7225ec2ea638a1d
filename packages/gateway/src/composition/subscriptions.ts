/** What clients listen to, put together: who hears of a change of the catalog, of the policies, and of what a server tells. */

import { hash } from 'node:crypto';
import { setImmediate as yieldNow } from 'node:timers/promises';

import type { CatalogStore } from '../catalog/catalog-store.ts';
import type { Config } from '../config/config.ts';
import type { ServerId } from '../model/target.ts';
import { createListeners, type Listeners } from '../pipeline/listeners.ts';
import type { Clock } from '../upstream/clock.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { LivePolicies } from './live-policies.ts';

export type SubscriptionParts = {
  readonly config: Pick<Config, 'subscriptions'>;
  readonly store: CatalogStore;
  readonly policies: Pick<LivePolicies, 'current' | 'onSwap'>;
  readonly upstreams: Pick<Upstreams, 'feeds'>;
  readonly clock: Clock;
};

/** Long enough that two lists which differ do not look alike, short enough for thousands of listeners. */
const DIGEST_CHARACTERS = 22;

export function composeSubscriptions({ config, store, policies, upstreams, clock }: SubscriptionParts): Listeners {
  const { maxResources, maxWatched } = config.subscriptions;
  const listeners = createListeners({
    now: () => ({ catalog: store.current, authorizer: policies.current }),
    feeds: upstreams.feeds,
    after: (delayMs, task) => clock.after(delayMs, task),
    yieldNow: () => yieldNow(),
    digest: (text) => hash('sha256', text, 'base64url').slice(0, DIGEST_CHARACTERS),
    maxResources,
    maxWatched,
  });
  store.onSwap((current, previous) => {
    if (current.version !== previous.version) listeners.changed();
  });
  policies.onSwap(() => listeners.changed());
  return listeners;
}

/** Servers tell of changes in bursts. */
const GATHER_MS = 100;
/** However often a server says that its lists have changed, it is not asked for them more often. */
const MIN_REFRESH_MS = 1000;

/** Asks a server for its lists when it says that they have changed: soon, once for a burst, and never without a pause. */
export function refreshOnChange(store: Pick<CatalogStore, 'refresh'>, clock: Clock): (server: ServerId) => void {
  /** Servers of the configuration: bounded. */
  const notBeforeMs = new Map<ServerId, number>();
  const waiting = new Set<ServerId>();
  return (server) => {
    if (waiting.has(server)) return;
    waiting.add(server);
    const delayMs = Math.max(GATHER_MS, (notBeforeMs.get(server) ?? 0) - clock.nowMs());
    clock.after(delayMs, () => {
      waiting.delete(server);
      notBeforeMs.set(server, clock.nowMs() + MIN_REFRESH_MS);
      void store.refresh(server);
    });
  };
}
