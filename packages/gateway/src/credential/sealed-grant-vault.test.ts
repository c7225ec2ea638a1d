import { describe, expect, it } from 'vitest';

import { createMemoryGrantStore } from '../storage/memory/memory-grant-store.ts';
import type { GrantRow, GrantStore } from './grant-rows.ts';
import { newGrant, newGrantKey, newWrappingKey, shown, testRing } from './grants.fixture.ts';
import { WrappingKeyError } from './key-wrapper.ts';
import { rewrapGrants } from './rewrap-grants.ts';
import { createSealedGrantVault } from './sealed-grant-vault.ts';
import { Secret } from '../model/secret.ts';

function open(keys = testRing()) {
  const store = createMemoryGrantStore();
  const vault = createSealedGrantVault({ store, envelope: keys.envelope, now: () => 1 });
  return { store, vault, keys };
}

const BOUNDS = { maxGrants: 10, maxPerPrincipal: 10 };

/** Puts a row where it does not belong. */
async function put(store: GrantStore, row: GrantRow): Promise<void> {
  await store.remove({ id: 'x', atMs: 0, filter: row.key }, 10);
  for (let version = 0; version < row.version; version += 1) {
    await store.write({ ...row, version: version + 1 }, version, BOUNDS);
  }
}

const rowOf = async (store: GrantStore, key: GrantRow['key']): Promise<GrantRow> => {
  const row = await store.read(key);
  if (row === undefined) throw new Error('no row');
  return row;
};

describe('a sealed grant', () => {
  it('opens in its own place only: not for another tenant, person, server or version', async () => {
    const { store, vault } = open();
    const key = newGrantKey();
    await vault.write(key, newGrant(), 0);
    const row = await rowOf(store, key);
    const moved = [{ tenant: 'acme' }, { principal: 'mallory' }, { server: 'files' }].map((more) => ({
      ...key,
      ...more,
    }));
    for (const other of moved) {
      await put(store, { ...row, key: other });
      await expect(vault.read(other)).rejects.toThrow(WrappingKeyError);
    }
    await put(store, { ...row, version: 2 });
    await expect(vault.read(key)).rejects.toThrow('was changed in the database');
  });

  it('with one bit flipped anywhere does not open, and says under which key it was', async () => {
    const { store, vault } = open();
    const key = newGrantKey();
    await vault.write(key, newGrant(), 0);
    const row = await rowOf(store, key);
    for (const part of ['content', 'wrapped'] as const) {
      const bytes = Buffer.from(row.sealed[part], 'base64url');
      for (const at of [0, 20, bytes.length - 1]) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        await put(store, { ...row, sealed: { ...row.sealed, [part]: flipped.toString('base64url') } });
        await expect(vault.read(key)).rejects.toThrow(/"k1"/);
      }
    }
  });

  it('never has the same bytes twice, and none of its tokens in any of them', async () => {
    const { store, vault } = open();
    const key = newGrantKey();
    const grant = newGrant();
    await vault.write(key, grant, 0);
    const first = await rowOf(store, key);
    await vault.write(key, grant, 1);
    const second = await rowOf(store, key);
    expect(second.sealed.content).not.toBe(first.sealed.content);
    expect(second.sealed.wrapped).not.toBe(first.sealed.wrapped);
    const everything = JSON.stringify([first, second]);
    for (const token of [grant.accessToken, grant.refreshToken]) {
      const value = token?.expose() ?? '';
      for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
        expect(everything).not.toContain(Buffer.from(value).toString(encoding).slice(0, 20));
      }
    }
  });

  it.each([
    ['is missing', { current: 'k2', keys: [newWrappingKey('k2')] }],
    ['is another one of the same name', { current: 'k1', keys: [newWrappingKey('k1')] }],
  ])('whose key %s names it, is not deleted, and opens again when the key is back', async (_, wrong) => {
    const { store, vault, keys } = open();
    const key = newGrantKey();
    const grant = newGrant();
    await vault.write(key, grant, 0);
    const right = keys.ring;
    keys.ring = wrong;
    await expect(vault.read(key)).rejects.toThrow(/"k1".*Nothing was deleted/);
    await expect(vault.read(key)).rejects.toMatchObject({ keyId: 'k1' });
    const rotated = await rewrapGrants({
      keys: store.keys,
      envelope: keys.envelope,
      signal: AbortSignal.timeout(5_000),
    });
    expect(rotated.unopened).toEqual(wrong.current === 'k1' ? {} : { k1: 1 });
    keys.ring = right;
    expect(shown((await vault.read(key))?.grant)).toEqual(shown(grant));
  });

  it('is not given to anybody to renew while its successor could not be encrypted', async () => {
    const { vault, keys } = open();
    const key = newGrantKey();
    await vault.write(key, newGrant(), 0);
    const right = keys.ring;
    keys.ring = { current: 'k2', keys: right.keys };
    await expect(vault.lease(key, 'one', 1_000)).rejects.toThrow('"k2"');
    keys.ring = right;
    expect([await vault.lease(key, 'another', 1_000), await vault.lease(key, 'one', 1_000)]).toEqual([true, false]);
  });

  it('whose key is gone is removed when that is asked for, and told without its content', async () => {
    const { vault, keys } = open();
    const key = newGrantKey();
    await vault.write(key, newGrant(), 0);
    keys.ring = { current: 'k2', keys: [newWrappingKey('k2')] };
    expect(await vault.take({ tenant: key.tenant })).toEqual([{ key, version: 1 }]);
    expect(await vault.read(key)).toBeUndefined();
  });

  it('is not written when a token is too long to be one, and the message does not quote it', async () => {
    const { vault } = open();
    const accessToken = new Secret('geheim'.repeat(10_000));
    const refused = vault.write(newGrantKey(), newGrant({ accessToken }), 0);
    await expect(refused).rejects.toThrow(/^(?!.*geheim).*accessToken of https:\/\/as.example.com is longer than/);
  });
});
