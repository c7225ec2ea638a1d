/** What every store of key events must do. Run by each adapter, on two connections to one database. */

import { describe, expect, it } from 'vitest';

import type { ApiKeyStore } from './api-key-store.ts';
import type { KeyEvent, KeyEventStore } from './key-event-store.ts';

const NOW_MS = 1_000_000;

type Gateway = { readonly keys: ApiKeyStore; readonly keyEvents: KeyEventStore };

export function describeKeyEventStore(name: string, open: () => Promise<readonly [Gateway, Gateway]>): void {
  const claimOf = (nowMs: number, limit = 100) => ({ nowMs, untilMs: nowMs + 1_000, limit });
  const namesOf = (events: readonly KeyEvent[]): readonly string[] => events.map((event) => event.name).toSorted();
  const create = (keys: ApiKeyStore, key: string): Promise<unknown> =>
    keys.create({
      id: key,
      tenant: 'default',
      name: key,
      hash: `hash of ${key}`,
      hint: 'sp_',
      groups: [],
      createdAtMs: 1,
    });

  describe(`key events in ${name}`, () => {
    it('are those of every change, with who and when, and are taken once', async () => {
      const [{ keys, keyEvents }] = await open();
      await create(keys, 'alice');
      await keys.change('default', 'alice', { expiresAtMs: 5 });
      await keys.change('default', 'alice', { revokedAtMs: 5 });
      const events = await keyEvents.claim(claimOf(NOW_MS));
      expect(events.map(({ action }) => action).toSorted()).toEqual(['create', 'expire', 'revoke']);
      expect(events[0]).toMatchObject({ tenant: 'default', name: 'alice', actor: 'cli:root', atMs: 77 });
      expect(await keyEvents.claim(claimOf(NOW_MS))).toEqual([]);
      await keyEvents.recorded(
        events.map(({ id }) => id),
        NOW_MS,
      );
      expect(await keyEvents.claim(claimOf(NOW_MS + 60_000))).toEqual([]);
    });

    it('go to one of two gateways that ask at once, however often they do', async () => {
      const [one, other] = await open();
      const created = Array.from({ length: 30 }, (_, index) => `key-${String(index).padStart(2, '0')}`);
      for (const key of created) await create(one.keys, key);
      const rounds = Array.from({ length: 10 }, () => [one, other]).flat();
      const taken = await Promise.all(rounds.map(({ keyEvents }) => keyEvents.claim(claimOf(NOW_MS, 5))));
      const rest = await other.keyEvents.claim(claimOf(NOW_MS));
      expect(namesOf([...taken.flat(), ...rest])).toEqual(created);
    });

    it('are free again when the gateway that took them did not record them in time', async () => {
      const [one, other] = await open();
      await create(one.keys, 'carol');
      const [taken] = await one.keyEvents.claim(claimOf(NOW_MS));
      expect(await other.keyEvents.claim(claimOf(NOW_MS + 999))).toEqual([]);
      expect(await other.keyEvents.claim(claimOf(NOW_MS + 1_001))).toEqual([taken]);
    });
  });
}
