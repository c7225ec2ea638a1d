/** What every vault does, whatever keeps its rows. Run on each adapter; the two stores share what they keep. */

import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type { GrantKey } from './grant.ts';
import type { GrantBounds, GrantNote, GrantStore } from './grant-rows.ts';
import { newGrant, newGrantKey, newWrappingKey, shown, testRing } from './grants.fixture.ts';
import { rewrapGrants } from './rewrap-grants.ts';
import { createSealedGrantVault, DEFAULT_GRANT_BOUNDS, TooManyGrantsError } from './sealed-grant-vault.ts';

const NOW_MS = 1_800_000_000_500;

export function describeGrantVault(adapter: string, stores: () => readonly [GrantStore, GrantStore]): void {
  const open = (bounds: GrantBounds = DEFAULT_GRANT_BOUNDS, keys = testRing()) => {
    const [one, other] = stores();
    const vaultOf = (store: GrantStore) =>
      createSealedGrantVault({ store, envelope: keys.envelope, now: () => NOW_MS, bounds });
    return { vault: vaultOf(one), other: vaultOf(other), store: one, otherStore: other, keys };
  };
  const notesOf = async (store: GrantStore, { tenant }: GrantKey): Promise<readonly GrantNote[]> =>
    (await store.list({ tenant }, { limit: 1000 })).notes;

  describe(`grants in ${adapter}`, () => {
    it('are read by another replica as they were written, by their whole name and by no other', async () => {
      const { vault, other } = open();
      const key = newGrantKey();
      const grant = newGrant();
      expect(await vault.read(key)).toBeUndefined();
      expect(await vault.write(key, grant, 0)).toBe(true);
      const kept = await other.read(key);
      expect(kept).toMatchObject({ key, version: 1 });
      expect(shown(kept?.grant)).toEqual(shown(grant));
      for (const wrong of [{ tenant: randomUUID() }, { principal: 'bob' }, { server: 'files' }]) {
        expect(await vault.read({ ...key, ...wrong })).toBeUndefined();
      }
    });

    it('without what an issuer need not say are read without it', async () => {
      const { vault } = open();
      const key = newGrantKey();
      const { revocationEndpoint: _r, refreshToken: _t, expiresAtMs: _e, ...bare } = newGrant({ scopes: [] });
      await vault.write(key, bare, 0);
      expect(shown((await vault.read(key))?.grant)).toEqual(shown(bare));
    });

    it('are written over the version that was read: of two writers one wins, and the other is told', async () => {
      const { vault, other } = open();
      const key = newGrantKey();
      const first = await Promise.all([vault.write(key, newGrant(), 0), other.write(key, newGrant(), 0)]);
      expect(first.toSorted()).toEqual([false, true]);
      const renewals = await Promise.all([vault.write(key, newGrant(), 1), other.write(key, newGrant(), 1)]);
      expect(renewals.toSorted()).toEqual([false, true]);
      expect(await vault.write(key, newGrant(), 7)).toBe(false);
      expect(await vault.read(key)).toMatchObject({ version: 2 });
    });

    it('that were removed are not written again by whoever renewed them meanwhile', async () => {
      const { vault } = open();
      const key = newGrantKey();
      await vault.write(key, newGrant(), 0);
      await vault.remove({ tenant: key.tenant });
      expect(await vault.write(key, newGrant(), 1)).toBe(false);
      expect(await vault.read(key)).toBeUndefined();
    });

    it('are removed and listed by tenant, person and server, and handed to whoever revokes them', async () => {
      const { vault } = open();
      const { tenant } = newGrantKey();
      for (const principal of ['alice', 'bob']) {
        for (const server of ['tickets', 'files']) {
          await vault.write({ tenant, principal, server }, newGrant({ scopes: [principal, server] }), 0);
        }
      }
      const namesOf = (found: readonly { readonly key: GrantKey }[]): readonly string[] =>
        found.map(({ key }) => `${key.principal} ${key.server}`).toSorted();
      expect(namesOf(await vault.list({ tenant, server: 'tickets' }))).toEqual(['alice tickets', 'bob tickets']);
      const removed = await vault.remove({ tenant, principal: 'alice' });
      expect(namesOf(removed)).toEqual(['alice files', 'alice tickets']);
      expect(removed[0]?.grant.scopes).toContain('alice');
      expect(namesOf(await vault.list({ tenant }))).toEqual(['bob files', 'bob tickets']);
      expect(await vault.remove({ tenant, principal: 'alice' })).toEqual([]);
    });

    it('tell other replicas what was removed, once for each removal', async () => {
      const { vault, otherStore } = open();
      const key = newGrantKey();
      await vault.write(key, newGrant(), 0);
      await vault.remove({ tenant: key.tenant, server: 'tickets' });
      const heard = await otherStore.removals.since(NOW_MS - 1, 1000);
      expect(heard.filter(({ filter }) => filter.tenant === key.tenant)).toEqual([
        { id: expect.any(String), atMs: NOW_MS, filter: { tenant: key.tenant, server: 'tickets' } },
      ]);
      expect(await otherStore.removals.since(NOW_MS, 1000)).toEqual([]);
      expect(await otherStore.removals.forget(NOW_MS)).toBe(false);
      expect((await otherStore.removals.since(0, 1000)).length).toBeGreaterThan(0);
    });

    it('have a lease that one holds at a time, until it is over or given back', async () => {
      const { store, otherStore, vault } = open();
      const key = newGrantKey();
      await vault.write(key, newGrant(), 0);
      const times = { nowMs: 1_000, untilMs: 2_000 };
      const taken = await Promise.all([store.lease(key, 'a', times), otherStore.lease(key, 'b', times)]);
      expect(taken.toSorted()).toEqual([false, true]);
      const [holder, waiting] = taken[0] ? ['a', 'b'] : ['b', 'a'];
      expect(await store.lease(key, holder ?? '', { nowMs: 1_500, untilMs: 2_500 })).toBe(true);
      expect(await store.lease(key, waiting ?? '', { nowMs: 2_499, untilMs: 3_000 })).toBe(false);
      await store.release(key, waiting ?? '');
      expect(await store.lease(key, waiting ?? '', { nowMs: 2_499, untilMs: 3_000 })).toBe(false);
      expect(await store.lease(key, waiting ?? '', { nowMs: 2_500, untilMs: 3_000 })).toBe(true);
      await store.release(key, waiting ?? '');
      expect(await store.lease(key, 'c', { nowMs: 2_600, untilMs: 2_700 })).toBe(true);
      expect(await store.lease(newGrantKey(), 'c', times)).toBe(false);
    });

    it('keep their lease while they are written', async () => {
      const { store, vault } = open();
      const key = newGrantKey();
      await vault.write(key, newGrant(), 0);
      await store.lease(key, 'a', { nowMs: 1, untilMs: 1_000 });
      await vault.write(key, newGrant(), 1);
      expect(await store.lease(key, 'b', { nowMs: 2, untilMs: 1_000 })).toBe(false);
    });

    it('are told of without being opened: age, end, scopes, last use and last failure', async () => {
      const { store, vault } = open();
      const key = newGrantKey();
      await vault.write(key, newGrant(), 0);
      await store.note([{ key, usedAtMs: 20, failure: { atMs: 21, why: 'x'.repeat(1_000) } }]);
      await store.note([{ key, usedAtMs: 10 }]);
      expect(await notesOf(store, key)).toEqual([
        {
          key,
          version: 1,
          keyId: 'k1',
          scopes: ['tickets:read', 'tickets:write'],
          obtainedAtMs: 1_800_000_000_000,
          writtenAtMs: NOW_MS,
          expiresAtMs: 1_800_000_060_000,
          lastUsedAtMs: 20,
          lastFailure: { atMs: 21, why: 'x'.repeat(200) },
        },
      ]);
      await vault.write(key, newGrant({ refusedAtMs: 77 }), 1);
      const [note] = await notesOf(store, key);
      expect(note).toMatchObject({ version: 2, refusedAtMs: 77, lastUsedAtMs: 20 });
      expect(note).not.toHaveProperty('lastFailure');
    });

    it('tell for each server how many there are and when the first ends, of the good ones and of those that were refused', async () => {
      const { store, vault } = open();
      const server = randomUUID();
      const ends = [30, 10, 20, 5, undefined];
      for (const [index, at] of ends.entries()) {
        const { expiresAtMs: _end, ...grant } = newGrant(index === 3 ? { refusedAtMs: 1 } : {});
        await vault.write(newGrantKey({ server }), at === undefined ? grant : { ...grant, expiresAtMs: at }, 0);
      }
      const found = (await store.soonest()).filter((one) => one.server === server);
      expect(found.toSorted((one, other) => other.count - one.count)).toEqual([
        { server, status: 'good', count: 4, expiresAtMs: 10 },
        { server, status: 'needs-login', count: 1, expiresAtMs: 5 },
      ]);
      const endless = randomUUID();
      const { expiresAtMs: _end, ...grant } = newGrant();
      await vault.write(newGrantKey({ server: endless }), grant, 0);
      expect((await store.soonest()).filter((one) => one.server === endless)).toEqual([
        { server: endless, status: 'good', count: 1 },
      ]);
    });

    it('are listed page by page, each once', async () => {
      const { store, vault } = open();
      const { tenant } = newGrantKey();
      const servers = Array.from({ length: 7 }, (_, index) => `server-${index}`);
      for (const server of servers) await vault.write(newGrantKey({ tenant, server }), newGrant(), 0);
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await store.list({ tenant }, { limit: 3, ...(after === undefined ? {} : { after }) });
        seen.push(...page.notes.map(({ key }) => key.server));
        after = page.next;
      } while (after !== undefined);
      expect(seen.toSorted()).toEqual(servers);
    });

    it('are refused beyond their bounds, and renewed all the same', async () => {
      const { vault } = open({ maxGrants: 1_000_000, maxPerPrincipal: 1 });
      const key = newGrantKey();
      await vault.write(key, newGrant(), 0);
      await expect(vault.write({ ...key, server: 'files' }, newGrant(), 0)).rejects.toThrow(TooManyGrantsError);
      expect(await vault.write({ ...key, principal: 'bob' }, newGrant(), 0)).toBe(true);
      expect(await vault.write(key, newGrant(), 1)).toBe(true);
      const none = open({ maxGrants: 0, maxPerPrincipal: 1 });
      await expect(none.vault.write(newGrantKey(), newGrant(), 0)).rejects.toThrow(TooManyGrantsError);
    });

    it('are wrapped anew while they are renewed, in batches, and open under the new key alone', async () => {
      const keys = testRing();
      const { vault, store, otherStore } = open(DEFAULT_GRANT_BOUNDS, keys);
      const { tenant } = newGrantKey();
      const all = Array.from({ length: 25 }, (_, index) => newGrantKey({ tenant, server: `server-${index}` }));
      for (const key of all) await vault.write(key, newGrant(), 0);
      const next = newWrappingKey(randomUUID().slice(0, 8));
      keys.ring = { current: next.id, keys: [...keys.ring.keys, next] };
      const rotate = (of: GrantStore) =>
        rewrapGrants({ keys: of.keys, envelope: keys.envelope, batch: 4, signal: AbortSignal.timeout(60_000) });
      await Promise.all([
        rotate(store),
        rotate(otherStore),
        ...all.slice(0, 10).map(async (key) => expect(await vault.write(key, newGrant(), 1)).toBe(true)),
      ]);
      await rotate(store);
      keys.ring = { current: next.id, keys: [next] };
      for (const key of all) expect(await vault.read(key)).toBeDefined();
      expect(new Set((await notesOf(store, newGrantKey({ tenant }))).map(({ keyId }) => keyId))).toEqual(
        new Set([next.id]),
      );
    }, 60_000);
  });
}
