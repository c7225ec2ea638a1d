/** What every store of bodies does. Run on each adapter, with a clock that the tests move. */

import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type { BodyStore, StoredBody } from './body-store.ts';

/** Kept until 2,000. */
export const newBody = (more: Partial<StoredBody> = {}): StoredBody => ({
  requestId: randomUUID(),
  tenant: randomUUID(),
  issuer: 'https://idp.example.com',
  subject: 'alice',
  name: 'Alice',
  address: 'files/write_file',
  madeAtMs: 1_000,
  expiresAtMs: 2_000,
  salt: '00112233445566778899aabbccddeeff',
  content: '{"arguments":{"path":"geheim.txt","text":"ünï \\u0000 \\ud800"}}',
  ...more,
});

export function describeBodyStore(adapter: string, storeOf: () => BodyStore, clock: { nowMs: number }): void {
  const store = (): BodyStore => storeOf();
  const all = async (): Promise<readonly StoredBody[]> => {
    const found: StoredBody[] = [];
    for (
      let page = await store().list(undefined, 2);
      page.length > 0;
      page = await store().list(page.at(-1)?.requestId, 2)
    ) {
      found.push(...page);
    }
    return found;
  };

  describe(`bodies in ${adapter}`, () => {
    it('are found by request and tenant as they were put, to the byte', async () => {
      clock.nowMs = 1_500;
      const [one, other] = [newBody(), newBody({ content: '{"result":{}}' })];
      await store().put([one, other]);
      expect(await store().get(one.requestId, one.tenant)).toEqual(one);
      expect(await store().get(other.requestId, undefined)).toEqual(other);
    });

    it('are not there for another tenant, for what is no id, and after their time', async () => {
      clock.nowMs = 1_500;
      const body = newBody();
      await store().put([body]);
      expect(await store().get(body.requestId, 'other')).toBeUndefined();
      expect(await store().get(`${body.requestId}\u0000'`, body.tenant)).toBeUndefined();
      clock.nowMs = 2_000;
      expect(await store().get(body.requestId, body.tenant)).toBeUndefined();
    });

    it('stay as they are when they are put again', async () => {
      clock.nowMs = 1_500;
      const body = newBody();
      await store().put([body]);
      await store().put([{ ...body, content: '{"arguments":{}}' }, newBody()]);
      expect(await store().get(body.requestId, body.tenant)).toEqual(body);
    });

    it('are listed page by page, each once', async () => {
      const bodies = [newBody(), newBody(), newBody()];
      await store().put(bodies);
      const listed = await all();
      expect(new Set(listed.map(({ requestId }) => requestId)).size).toBe(listed.length);
      expect(listed).toEqual(expect.arrayContaining(bodies));
    });

    it('are erased by request and tenant, and are gone', async () => {
      clock.nowMs = 1_500;
      const [one, other] = [newBody(), newBody()];
      await store().put([one, other]);
      const strangers = { requestId: other.requestId, tenant: 'other' };
      expect(await store().erase([one, strangers, { requestId: 'none', tenant: 'x' }])).toBe(1);
      expect(await store().get(one.requestId, undefined)).toBeUndefined();
      expect(await store().get(other.requestId, undefined)).toEqual(other);
    });

    it('are deleted when their time is over, and no sooner', async () => {
      clock.nowMs = 1_500;
      const [old, kept] = [newBody({ expiresAtMs: 1_800 }), newBody({ expiresAtMs: 9_000 })];
      await store().put([old, kept]);
      while (await store().deleteExpired(1_799));
      expect((await all()).map(({ requestId }) => requestId)).toContain(old.requestId);
      while (await store().deleteExpired(1_800));
      const left = (await all()).map(({ requestId }) => requestId);
      expect(left).not.toContain(old.requestId);
      expect(left).toContain(kept.requestId);
    });
  });
}
