import { describe, expect, it } from 'vitest';

import type { EndedSession, EndedSessions } from './ended-sessions.ts';
import { createMemoryLegacySessions } from './legacy-sessions.ts';
import { shareSessions } from './shared-sessions.ts';

/** Two replicas with clocks of their own on one store. */
function world(maxRevoked = 100) {
  const kept: EndedSession[] = [];
  const state = { away: false, nowMs: 1_000_000 };
  const store: EndedSessions = {
    async add(ended) {
      if (state.away) throw new Error('away');
      kept.push(ended);
    },
    async after({ atMs, nonce }, nowMs, limit) {
      if (state.away) throw new Error('away');
      return kept
        .filter((one) => one.untilMs > nowMs && (one.atMs > atMs || (one.atMs === atMs && one.nonce > nonce)))
        .toSorted((one, other) => one.atMs - other.atMs || (one.nonce < other.nonce ? -1 : 1))
        .slice(0, limit);
    },
  };
  const replica = (skewMs = 0) => {
    const warnings: string[] = [];
    const timers: (() => void)[] = [];
    const nothing = (): void => undefined;
    const now = (): number => state.nowMs + skewMs;
    const sessions = shareSessions({
      sessions: createMemoryLegacySessions({ now, maxRevoked }),
      store,
      now,
      after(_, task) {
        timers.push(task);
        return () => timers.splice(0);
      },
      log: { debug: nothing, info: nothing, warn: (_, message) => void warnings.push(message), error: nothing },
      batch: 2,
    });
    /** The next look at the store, and its end. */
    const look = async (): Promise<void> => {
      await expect.poll(() => timers.length).toBe(1);
      timers.shift()?.();
      await expect.poll(() => timers.length).toBe(1);
    };
    return { sessions, warnings, look };
  };
  return { state, kept, replica };
}

const UNTIL_MS = 9_000_000;

describe('sessions that replicas share', () => {
  it('end everywhere when they are ended at one, though its clock goes behind', async () => {
    const { state, replica } = world();
    const [one, other] = [replica(-30_000), replica()];
    await other.look();
    for (let count = 0; count < 5; count++) expect(await one.sessions.revoke(`s${count}`, UNTIL_MS)).toBe(true);
    expect(one.sessions.isRevoked('s0')).toBe(true);
    expect(other.sessions.isRevoked('s0')).toBe(false);
    state.nowMs += 2_000;
    await other.look();
    for (let count = 0; count < 5; count++) expect(other.sessions.isRevoked(`s${count}`)).toBe(true);
    await Promise.all([one.sessions.close(), other.sessions.close()]);
  });

  it('stay ended when a gateway is started anew', async () => {
    const { replica } = world();
    const before = replica();
    await before.sessions.revoke('s', UNTIL_MS);
    await before.sessions.close();
    const after = replica();
    await after.sessions.started;
    expect(after.sessions.isRevoked('s')).toBe(true);
    expect(after.sessions.isRevoked('another')).toBe(false);
    await after.sessions.close();
  });

  it('are not ended at one alone: while the store is away, the client is told to try again', async () => {
    const { state, replica } = world();
    const { sessions, warnings, look } = replica();
    await sessions.started;
    state.away = true;
    expect(await sessions.revoke('s', UNTIL_MS)).toBe(false);
    expect(sessions.isRevoked('s')).toBe(false);
    await look();
    await look();
    expect(warnings).toEqual([
      expect.stringContaining('could not be ended'),
      expect.stringContaining('cannot be read'),
    ]);
    state.away = false;
    expect(await sessions.revoke('s', UNTIL_MS)).toBe(true);
    await look();
    await sessions.close();
  });

  it('tell of ends that they cannot remember, and of nothing else', async () => {
    const { replica } = world(1);
    const [one, other] = [replica(), replica()];
    await one.sessions.revoke('a', UNTIL_MS);
    await one.sessions.revoke('b', UNTIL_MS);
    await other.look();
    expect(other.sessions.isRevoked('a')).toBe(true);
    expect(other.warnings).toHaveLength(1);
    await Promise.all([one.sessions.close(), other.sessions.close()]);
  });
});
