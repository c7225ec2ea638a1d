/** What every store of API keys does. Run on each adapter. */

import { randomBytes, randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { apiKeyDigest } from './api-key.ts';
import type { ApiKeyStore, NewApiKey } from './api-key-store.ts';

const DAY_MS = 86_400_000;

/** No two tests speak of the same tenant, so that they may share a database. */
const newKey = (more: Partial<NewApiKey> = {}): NewApiKey => ({
  id: randomUUID(),
  tenant: randomUUID(),
  name: 'alice',
  hash: apiKeyDigest(randomBytes(32).toString('hex')),
  hint: 'sp_abc123',
  groups: ['engineering', 'on call "x"'],
  createdAtMs: 1_800_000_000_000,
  ...more,
});

export function describeApiKeyStore(adapter: string, storeOf: () => ApiKeyStore): void {
  describe(`API keys in ${adapter}`, () => {
    it('are found by their hash as they were created', async () => {
      const key = newKey({ expiresAtMs: 1_800_000_000_000 + DAY_MS });
      expect(await storeOf().create(key)).toEqual({ ok: true, value: key });
      expect(await storeOf().findByHash(key.hash)).toEqual(key);
      expect(await storeOf().findByHash(apiKeyDigest('another'))).toBeUndefined();
    });

    it('have one name and one hash each, and a name of another tenant is another name', async () => {
      const key = newKey();
      await storeOf().create(key);
      expect(await storeOf().create(newKey({ tenant: key.tenant }))).toEqual({ ok: false, error: 'name-taken' });
      expect(await storeOf().create(newKey({ hash: key.hash }))).toEqual({ ok: false, error: 'hash-taken' });
      expect(await storeOf().create(newKey())).toMatchObject({ ok: true });
    });

    it('created at once under one name are one', async () => {
      const tenant = randomUUID();
      const results = await Promise.all(Array.from({ length: 20 }, () => storeOf().create(newKey({ tenant }))));
      expect(results.filter((result) => result.ok)).toHaveLength(1);
      expect(results.filter((result) => !result.ok && result.error === 'name-taken')).toHaveLength(19);
    });

    it('expire and are revoked; a revoked one is still found, and its name is free again', async () => {
      const key = newKey();
      const { tenant, name } = key;
      await storeOf().create(key);
      expect(await storeOf().change(tenant, name, { expiresAtMs: 5 })).toBe(true);
      expect(await storeOf().findByHash(key.hash)).toEqual({ ...key, expiresAtMs: 5 });
      expect(await storeOf().change(tenant, name, { revokedAtMs: 6 })).toBe(true);
      expect(await storeOf().findByHash(key.hash)).toEqual({ ...key, expiresAtMs: 5, revokedAtMs: 6 });
      expect(await storeOf().change(tenant, name, { revokedAtMs: 7 })).toBe(false);
      expect(await storeOf().create(newKey({ tenant }))).toMatchObject({ ok: true });
      expect(await storeOf().change(randomUUID(), name, { revokedAtMs: 7 })).toBe(false);
    });

    it('are listed in the order of their creation, revoked ones included', async () => {
      const tenant = randomUUID();
      const made = [3, 1, 2].map((at) => newKey({ tenant, name: `key ${at}`, createdAtMs: at }));
      for (const key of made) await storeOf().create(key);
      await storeOf().change(tenant, 'key 2', { revokedAtMs: 9 });
      const listed = (await storeOf().list()).filter((key) => key.tenant === tenant);
      expect(listed.map(({ name, revokedAtMs }) => [name, revokedAtMs])).toEqual([
        ['key 1', undefined],
        ['key 2', 9],
        ['key 3', undefined],
      ]);
    });

    it('that end within a time are listed alone, soonest first, as many as are asked for, without revoked ones', async () => {
      // Far from the keys of other tests, which may be in the same database.
      const fromMs = 4_000_000_000_000;
      const tenant = randomUUID();
      for (const [name, after] of Object.entries({ late: 30, soon: 10, revoked: 5, ended: -1, later: 99 })) {
        await storeOf().create(newKey({ tenant, name, expiresAtMs: fromMs + after }));
      }
      await storeOf().create(newKey({ tenant, name: 'endless' }));
      await storeOf().change(tenant, 'revoked', { revokedAtMs: 9 });
      const names = async (limit: number): Promise<readonly string[]> =>
        (await storeOf().list({ fromMs, untilMs: fromMs + 99, limit })).map(({ name }) => name);
      expect(await names(10)).toEqual(['soon', 'late']);
      expect(await names(1)).toEqual(['soon']);
    });

    it('remember their last use, whatever the order in which uses are noted', async () => {
      const [one, other] = [newKey(), newKey()];
      await storeOf().create(one);
      await storeOf().create(other);
      await Promise.all([
        storeOf().noteUses([
          { id: one.id, usedAtMs: 20 },
          { id: other.id, usedAtMs: 5 },
          { id: 'unknown', usedAtMs: 1 },
        ]),
        storeOf().noteUses([
          { id: other.id, usedAtMs: 4 },
          { id: one.id, usedAtMs: 10 },
        ]),
      ]);
      await storeOf().noteUses([]);
      expect(await storeOf().findByHash(one.hash)).toMatchObject({ lastUsedAtMs: 20 });
      expect(await storeOf().findByHash(other.hash)).toMatchObject({ lastUsedAtMs: 5 });
    });
  });
}
