/**
 * What changes during a legacy session cannot stand in its id, which the client holds and cannot be told to replace: so
 * far, that it was ended. The port, and the adapter for a single replica.
 */

export interface LegacySessions {
  /** Ends the session that `nonce` names, until its id expires anyway. False when it cannot be remembered: refuse then. */
  revoke(nonce: string, untilMs: number): boolean | Promise<boolean>;
  isRevoked(nonce: string): boolean | Promise<boolean>;
}

export type MemoryLegacySessionsOptions = {
  readonly now: () => number;
  /** Ended sessions whose ids have not expired yet. Default 100,000, about 15 MB. */
  readonly maxRevoked?: number;
};

/** Remembers ended sessions in this process. At its bound it refuses to end more; it never forgets one too early. */
export function createMemoryLegacySessions(options: MemoryLegacySessionsOptions): LegacySessions {
  const { now, maxRevoked = 100_000 } = options;
  const revoked = new Map<string, number>();

  function forgetExpired(): void {
    const time = now();
    for (const [nonce, untilMs] of revoked) {
      if (untilMs <= time) revoked.delete(nonce);
    }
  }

  return {
    revoke(nonce, untilMs) {
      if (revoked.size >= maxRevoked) forgetExpired();
      if (revoked.size >= maxRevoked) return false;
      revoked.set(nonce, untilMs);
      return true;
    },
    isRevoked: (nonce) => revoked.has(nonce),
  };
}
