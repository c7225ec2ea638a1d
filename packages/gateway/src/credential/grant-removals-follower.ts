/**
 * Hears of revocations that happened elsewhere: in another gateway, or by a command. Each is acted on once, however the clocks of
 * the machines differ, within a window that is far longer than any difference that a cluster may have.
 */

import type { Logger } from '../telemetry/logger.ts';
import type { GrantFilter } from './grant.ts';
import type { GrantRemovals } from './grant-rows.ts';

export type GrantRemovalsFollowerOptions = {
  readonly removals: Pick<GrantRemovals, 'since'>;
  readonly onRemoved: (filter: GrantFilter) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly logger: Logger;
};

export interface GrantRemovalsFollower {
  /** To be called every second or two. Never throws. */
  look(): Promise<void>;
}

const WINDOW_MS = 10 * 60_000;
/** The newest of the window. More at once are taken for one of everything. */
const MAX_SEEN = 1_000;

export function followGrantRemovals(options: GrantRemovalsFollowerOptions): GrantRemovalsFollower {
  const { removals, onRemoved, now, logger } = options;
  let seen = new Set<string>();
  let failing = false;
  return {
    async look() {
      try {
        const found = await removals.since(now() - WINDOW_MS, MAX_SEEN);
        const news = found.filter(({ id }) => !seen.has(id));
        // More than fit into the list: to forget everything costs each caller a look in the vault.
        if (news.length >= MAX_SEEN) onRemoved({});
        else for (const { filter } of news) onRemoved(filter);
        seen = new Set(found.map(({ id }) => id));
        failing = false;
      } catch (error) {
        // What is held is looked up again within seconds in any case; only open sessions wait for this.
        if (!failing) logger.warn({ reason: String(error) }, 'revocations cannot be looked for; tried again');
        failing = true;
      }
    },
  };
}
