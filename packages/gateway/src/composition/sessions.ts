/** What changes during legacy sessions: on one database for all replicas, where there is one. */

import { createMemoryLegacySessions } from '../entrypoint/legacy-sessions.ts';
import { shareSessions, type SharedSessions } from '../entrypoint/shared-sessions.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';
import type { Storage } from './storage.ts';

export async function composeSessions({ endedSessions }: Storage, logger: Logger): Promise<SharedSessions> {
  const sessions = createMemoryLegacySessions({ now: Date.now });
  if (endedSessions === undefined) return { ...sessions, started: Promise.resolve(), close: () => Promise.resolve() };
  const shared = shareSessions({
    sessions,
    store: endedSessions,
    now: Date.now,
    after: (delayMs, task) => systemClock.after(delayMs, task),
    log: logger,
  });
  await shared.started;
  return shared;
}
