/**
 * Sessions that were opened here, followed to their end for the record. What a session is stands in a sealed value that its
 * client holds, on any replica: nobody else knows when it runs out unseen. So this tells what this replica can know: sessions
 * that it opened and that expire while it runs. One that is ended is told of where that happens.
 */

import type { NoteEvent, SessionEvent } from '../model/event.ts';

type Opened = Omit<SessionEvent, 'kind' | 'change' | 'why'>;

export type FollowedSessions = {
  opened(session: Opened): void;
  /** By its client, or by logging out. */
  ended(session: Opened, why: NonNullable<SessionEvent['why']>): void;
  close(): void;
};

export type FollowedSessionsOptions = {
  readonly note: NoteEvent;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The end of more is not seen; the oldest are let go. Default 50,000, about 30 MB. */
  readonly maxSessions?: number;
  /** How late an end may be noticed. */
  readonly lookMs?: number;
};

export function createFollowedSessions(options: FollowedSessionsOptions): FollowedSessions {
  const { note, now, maxSessions = 50_000, lookMs = 30_000 } = options;
  /** In the order in which they were opened. */
  const open = new Map<string, Opened>();
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    const nowMs = now();
    for (const [name, session] of open) {
      if (session.expiresAtMs > nowMs) continue;
      open.delete(name);
      const { requestId: _openedBy, ...rest } = session;
      note({ kind: 'session', change: 'closed', why: 'expired', ...rest });
    }
    if (open.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return {
    opened(session) {
      // The claims of a token are its largest part, and no part of the record.
      open.set(session.session, { ...session, principal: { ...session.principal, claims: {} } });
      const [oldest] = open.keys();
      if (open.size > maxSessions && oldest !== undefined) open.delete(oldest);
      timer ??= setInterval(look, lookMs).unref();
      note({ kind: 'session', change: 'opened', ...session });
    },
    ended(session, why) {
      open.delete(session.session);
      note({ kind: 'session', change: 'closed', why, ...session });
    },
    close() {
      clearInterval(timer);
      look();
      clearInterval(timer);
      open.clear();
    },
  };
}
