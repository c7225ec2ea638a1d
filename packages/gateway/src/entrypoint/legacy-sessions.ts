/**
 * What changes during a legacy session cannot stand in its id, which the client holds and cannot be told to replace: that it
 * was ended, which log messages its client wants, and which resources it is subscribed to. The port, and the adapter for a
 * single replica, which forgets all of it when it ends.
 */

import type { LogLevel } from '../model/log-level.ts';
import { createSubscribed, type Subscribed } from './subscribed-sessions.ts';

export interface LegacySessions extends Subscribed {
  /** Ends the session that `nonce` names, until its id expires anyway. False when it cannot be remembered: refuse then. */
  revoke(nonce: string, untilMs: number): boolean | Promise<boolean>;
  isRevoked(nonce: string): boolean | Promise<boolean>;
  /** From which level on the session's client wants log messages. False when it cannot be remembered: refuse then. */
  setLogLevel(nonce: string, level: LogLevel, untilMs: number): boolean | Promise<boolean>;
  /** Undefined: its client never said. */
  logLevel(nonce: string): LogLevel | undefined | Promise<LogLevel | undefined>;
}

export type MemoryLegacySessionsOptions = {
  readonly now: () => number;
  /** Ended sessions whose ids have not expired yet. Default 100,000, about 15 MB. */
  readonly maxRevoked?: number;
  /** Sessions with a log level. Default 100,000, about 15 MB. */
  readonly maxLogLevels?: number;
  /** Characters of all URIs that sessions are subscribed to. Default 16 million, about 32 MB at worst. */
  readonly maxUriCharacters?: number;
};

type Until = { readonly untilMs: number };

/** Remembers in this process. At its bound it refuses more; it never forgets a session's end too early. */
export function createMemoryLegacySessions(options: MemoryLegacySessionsOptions): LegacySessions {
  const { now, maxRevoked = 100_000, maxLogLevels = 100_000, maxUriCharacters = 16_000_000 } = options;
  const revoked = new Map<string, Until>();
  const logLevels = new Map<string, Until & { readonly level: LogLevel }>();
  const { forget, ...subscribed } = createSubscribed({ now, maxUriCharacters });

  return {
    ...subscribed,
    revoke(nonce, untilMs) {
      if (!hasRoom(revoked, maxRevoked, now())) return false;
      revoked.set(nonce, { untilMs });
      logLevels.delete(nonce);
      forget(nonce);
      return true;
    },
    isRevoked: (nonce) => revoked.has(nonce),
    setLogLevel(nonce, level, untilMs) {
      if (!logLevels.has(nonce) && !hasRoom(logLevels, maxLogLevels, now())) return false;
      logLevels.set(nonce, { level, untilMs });
      return true;
    },
    logLevel: (nonce) => logLevels.get(nonce)?.level,
  };
}

/** Looks for what has expired only at the bound. */
function hasRoom(kept: Map<string, Until>, max: number, nowMs: number): boolean {
  if (kept.size < max) return true;
  for (const [nonce, { untilMs }] of kept) if (untilMs <= nowMs) kept.delete(nonce);
  return kept.size < max;
}
