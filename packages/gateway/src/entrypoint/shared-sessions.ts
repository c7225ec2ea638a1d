/**
 * Legacy sessions of several replicas on one database: an end is written there first, and every replica reads there what the
 * others ended. What a request asks is answered from memory, so a session that was ended elsewhere is good for some seconds
 * more: its id is no credential, and whoever uses it presents one.
 */

import type { Logger } from '../telemetry/logger.ts';
import type { EndedMark, EndedSessions } from './ended-sessions.ts';
import type { LegacySessions } from './legacy-sessions.ts';

export type SharedSessionsOptions = {
  /** Of this process. */
  readonly sessions: LegacySessions;
  readonly store: EndedSessions;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Runs a task later without keeping the process alive; the returned function prevents it. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  readonly log: Logger;
  readonly everyMs?: number;
  readonly batch?: number;
};

export type SharedSessions = LegacySessions & {
  /** Resolves when what was ended before is known, or cannot be read for now. */
  readonly started: Promise<void>;
  /** Resolves when the round that is under way is over. */
  close(): Promise<void>;
};

const EVERY_MS = 2_000;
const BATCH = 1_000;
/** Read again each time: clocks of replicas differ, and what is written at one moment can be seen at a later one. */
const OVERLAP_MS = 60_000;

export function shareSessions(options: SharedSessionsOptions): SharedSessions {
  const { sessions, store, now, after, log, everyMs = EVERY_MS, batch = BATCH } = options;
  const closing = new AbortController();
  const { signal: closed } = closing;
  let fromMs = 0;
  let failing = false;
  let cancel = (): void => undefined;

  const look = async (): Promise<void> => {
    const beganMs = now();
    let mark: EndedMark = { atMs: fromMs, nonce: '' };
    for (let count = batch; count === batch && !closed.aborted;) {
      const ended = await store.after(mark, beganMs, batch);
      for (const { nonce, untilMs } of ended) {
        if (await sessions.isRevoked(nonce)) continue;
        if (!(await sessions.revoke(nonce, untilMs))) throw new Error('they are more than can be remembered');
      }
      mark = ended.at(-1) ?? mark;
      count = ended.length;
    }
    fromMs = beganMs - OVERLAP_MS;
  };

  const round = async (): Promise<void> => {
    try {
      await look();
      failing = false;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Once per outage; the storage has its own words for it.
      if (!failing) log.warn({ reason }, 'sessions that were ended at other replicas cannot be read; tried again');
      failing = true;
    }
    if (closed.aborted) return;
    cancel = after(everyMs, () => {
      running = round();
    });
  };

  let running = round();
  return {
    ...sessions,
    async revoke(nonce, untilMs) {
      try {
        await store.add({ nonce, untilMs, atMs: now() });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ reason }, 'a session could not be ended at every replica: its client is told to try again');
        return false;
      }
      return sessions.revoke(nonce, untilMs);
    },
    started: running,
    close() {
      closing.abort();
      cancel();
      return running;
    },
  };
}
