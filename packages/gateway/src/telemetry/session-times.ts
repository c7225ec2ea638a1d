/**
 * How long sessions of legacy clients last. Their ids hold all that the gateway must remember, so nobody keeps a table of them
 * but this one, for the metric alone: bounded, and what finds no place is not counted.
 */

import type { SessionSeen } from './instruments.ts';

export type SessionTimesOptions = {
  readonly now: () => number;
  /** Told of a session that is over. */
  readonly ended: (session: SessionSeen, seconds: number) => void;
  /** A session that nobody used for this long is over: most clients go away without a word. */
  readonly idleMs?: number;
  readonly maxSessions?: number;
};

export type SessionTimes = {
  used(session: SessionSeen): void;
  end(id: string): void;
  /** Those that are not over; looks for the others first. */
  active(): number;
};

type Known = { readonly session: SessionSeen; lastUsedMs: number };

const DEFAULT_IDLE_MS = 30 * 60_000;
/** About 250 bytes each. */
const DEFAULT_MAX_SESSIONS = 20_000;

export function createSessionTimes(options: SessionTimesOptions): SessionTimes {
  const { now, ended, idleMs = DEFAULT_IDLE_MS, maxSessions = DEFAULT_MAX_SESSIONS } = options;
  const sessions = new Map<string, Known>();
  let nextSweepMs = Number.NEGATIVE_INFINITY;

  const over = ({ session, lastUsedMs }: Known): void => {
    sessions.delete(session.id);
    ended(session, Math.max(0, lastUsedMs - session.startedAtMs) / 1000);
  };

  const sweep = (nowMs: number): void => {
    for (const known of sessions.values()) if (nowMs - known.lastUsedMs > idleMs) over(known);
    // A full table is not searched again for every session that finds no place in it.
    nextSweepMs = nowMs + idleMs / 10;
  };

  return {
    used(session) {
      const nowMs = now();
      const known = sessions.get(session.id);
      if (known !== undefined) {
        known.lastUsedMs = nowMs;
        return;
      }
      if (sessions.size >= maxSessions && nowMs >= nextSweepMs) sweep(nowMs);
      if (sessions.size < maxSessions) sessions.set(session.id, { session, lastUsedMs: nowMs });
    },
    end(id) {
      const known = sessions.get(id);
      if (known === undefined) return;
      known.lastUsedMs = now();
      over(known);
    },
    active() {
      sweep(now());
      return sessions.size;
    },
  };
}
