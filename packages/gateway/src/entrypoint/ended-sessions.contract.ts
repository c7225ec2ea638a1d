/** What every store of ended sessions must do. Run by each adapter, on two connections to one database. */

import { describe, expect, it } from 'vitest';

import type { EndedSession, EndedSessions } from './ended-sessions.ts';

const START = { atMs: 0, nonce: '' };

export function describeEndedSessions(name: string, open: () => readonly [EndedSessions, EndedSessions]): void {
  describe(`ended sessions in ${name}`, () => {
    it('are read elsewhere in order, page by page, without those that have expired', async () => {
      const [one, other] = open();
      const sessions: readonly EndedSession[] = [
        { nonce: 'b', atMs: 10, untilMs: 500 },
        { nonce: 'a', atMs: 20, untilMs: 500 },
        { nonce: 'c', atMs: 20, untilMs: 500 },
        { nonce: 'd', atMs: 30, untilMs: 500 },
      ];
      for (const session of sessions.toReversed()) await one.add(session);
      await one.add({ nonce: 'gone', atMs: 15, untilMs: 100 });
      expect(await other.after(START, 100, 2)).toEqual(sessions.slice(0, 2));
      expect(await other.after({ atMs: 20, nonce: 'a' }, 100, 10)).toEqual(sessions.slice(2));
      expect(await other.after({ atMs: 30, nonce: 'd' }, 100, 10)).toEqual([]);
    });

    it('can be ended by two at once, and are there once', async () => {
      const [one, other] = open();
      const twice = { nonce: 'twice', atMs: 40, untilMs: 500 };
      await Promise.all([one.add(twice), other.add(twice), one.add({ ...twice, atMs: 41 })]);
      const found = await one.after({ atMs: 30, nonce: 'd' }, 100, 10);
      expect(found.map(({ nonce }) => nonce)).toEqual(['twice']);
    });
  });
}
