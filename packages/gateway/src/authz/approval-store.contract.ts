/** What every store of approvals does. Run on each adapter, with two stores that share what they remember. */

import { randomBytes, randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type { Approval, ApprovalDecision, Verdict } from './approval.ts';
import type { ApprovalStore } from './approval-store.ts';

const ALICE = { key: '7:default/7:api-key/alice', name: 'alice', issuer: 'api-key', subject: 'alice' };
const BOB = { key: '7:default/7:api-key/bob', name: 'Bob \u0000 "B"', issuer: 'api-key', subject: 'bob' };

/** Made at 1,000 and good until 2,000. No two tests speak of the same tenant, so that they may share a database. */
export const newApproval = (more: Partial<Approval> = {}): Approval => ({
  id: randomBytes(16).toString('base64url'),
  tenant: randomUUID(),
  requester: ALICE.key,
  kind: 'tool',
  address: 'files/write_file',
  definitionHash: 'd1',
  argumentsDigest: 'a1',
  requestedBy: ALICE,
  arguments: { path: 'geheim.txt', content: 'ünï \u0000 \uD800' },
  risk: 'high',
  needs: [{ by: { kind: 'group', group: 'dba' }, policy: 'p0', description: 'Writes to production.' }],
  status: 'pending',
  requestId: 'r1',
  createdAtMs: 1_000,
  expiresAtMs: 2_000,
  ...more,
});

const TWO_NEEDS: Approval['needs'] = [
  { by: { kind: 'caller' }, policy: 'p0' },
  { by: { kind: 'group', group: 'dba' }, policy: 'p1' },
];

const decision = (verdict: Verdict, decidedAtMs = 1_500): ApprovalDecision => ({
  by: BOB,
  how: 'browser',
  verdict,
  decidedAtMs,
});

export function describeApprovalStore(adapter: string, storesOf: () => readonly [ApprovalStore, ApprovalStore]): void {
  const store = (): ApprovalStore => storesOf()[0];

  const opened = async (more: Partial<Approval> = {}): Promise<Approval> => {
    const approval = newApproval(more);
    return store().open(approval);
  };
  const approved = async (): Promise<Approval> => {
    const { tenant, id } = await opened();
    const after = await store().decide(tenant, id, 0, decision('approved'));
    if (after === undefined) throw new Error('it could not be approved');
    return after;
  };

  describe(`approvals in ${adapter}`, () => {
    it('are found by tenant and id as they were opened', async () => {
      const approval = newApproval();
      expect(await store().open(approval)).toEqual(approval);
      expect(await store().get(approval.tenant, approval.id)).toEqual(approval);
      expect(await store().get(randomUUID(), approval.id)).toBeUndefined();
      expect(await store().get(approval.tenant, 'a \u0000 b')).toBeUndefined();
    });

    it('are opened once for one binding, from two connections at once', async () => {
      const tenant = randomUUID();
      const asked = Array.from({ length: 20 }, () => newApproval({ tenant }));
      const got = await Promise.all(asked.map((approval, index) => storesOf()[index % 2 === 0 ? 0 : 1].open(approval)));
      expect(new Set(got.map(({ id }) => id)).size).toBe(1);
      expect(await store().list({ tenant, status: 'pending', validAtMs: 0, limit: 50 })).toEqual([got[0]]);
    });

    it.each([
      ['requester', { requester: BOB.key }],
      ['kind', { kind: 'prompt' }],
      ['address', { address: 'files/move_file' }],
      ['definition', { definitionHash: 'd2' }],
      ['arguments', { argumentsDigest: 'a2' }],
    ] as const)('of another %s are others', async (_, more) => {
      const one = await opened();
      expect((await store().open(newApproval({ tenant: one.tenant, ...more }))).id).not.toBe(one.id);
    });

    it('are opened anew when the one before is used, declined or expired, and not while it is approved', async () => {
      const one = await approved();
      const again = (at: number) =>
        store().open(newApproval({ tenant: one.tenant, createdAtMs: at, expiresAtMs: at + 1_000 }));
      expect(await again(1_600)).toEqual(one);
      expect(await store().use(one.tenant, one.id, 1_700)).toBe(true);
      const two = await again(1_800);
      expect(two.id).not.toBe(one.id);
      await store().decide(two.tenant, two.id, 0, decision('declined', 1_900));
      const three = await again(2_000);
      expect(three.id).not.toBe(two.id);
      expect((await again(2_999)).id).toBe(three.id);
      expect((await again(3_000)).id).not.toBe(three.id);
    });

    it('are approved when every need is, and declined when one is', async () => {
      const { tenant, id } = await opened({ needs: TWO_NEEDS });
      expect(await store().decide(tenant, id, 1, decision('approved'))).toMatchObject({ status: 'pending' });
      expect(await store().use(tenant, id, 1_600)).toBe(false);
      const after = await store().decide(tenant, id, 0, decision('approved'));
      expect(after).toMatchObject({ status: 'approved', needs: [{ decision: decision('approved') }, {}] });
      expect(await store().get(tenant, id)).toEqual(after);

      const other = await opened({ needs: TWO_NEEDS });
      const declined = await store().decide(other.tenant, other.id, 1, decision('declined'));
      expect(declined).toMatchObject({ status: 'declined' });
      expect(await store().decide(other.tenant, other.id, 0, decision('approved'))).toBeUndefined();
      expect(await store().use(other.tenant, other.id, 1_600)).toBe(false);
    });

    it('are not decided when they are unknown, of another tenant, expired, or for a need there is not', async () => {
      const { tenant, id } = await opened();
      expect(await store().decide(randomUUID(), id, 0, decision('approved'))).toBeUndefined();
      expect(await store().decide(tenant, 'unknown', 0, decision('approved'))).toBeUndefined();
      expect(await store().decide(tenant, id, 1, decision('approved'))).toBeUndefined();
      expect(await store().decide(tenant, id, -1, decision('approved'))).toBeUndefined();
      expect(await store().decide(tenant, id, 0, decision('approved', 2_000))).toBeUndefined();
      expect(await store().decide(tenant, id, 0, decision('approved', 1_999))).toMatchObject({ status: 'approved' });
    });

    it('are decided once for each need, however many try at once', async () => {
      const { tenant, id } = await opened({ needs: TWO_NEEDS });
      const tries = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          storesOf()[index % 2 === 0 ? 0 : 1].decide(tenant, id, index % 4 < 2 ? 0 : 1, decision('approved')),
        ),
      );
      expect(tries.filter((one) => one !== undefined)).toHaveLength(2);
      expect(await store().get(tenant, id)).toMatchObject({ status: 'approved' });
    });

    it('are used once, of fifty that try at once', async () => {
      const { tenant, id } = await approved();
      const tries = await Promise.all(
        Array.from({ length: 50 }, (_, index) => storesOf()[index % 2 === 0 ? 0 : 1].use(tenant, id, 1_600)),
      );
      expect(tries.filter(Boolean)).toHaveLength(1);
      expect(await store().get(tenant, id)).toMatchObject({ status: 'used', usedAtMs: 1_600 });
    });

    it('are not used after their time, nor by another tenant', async () => {
      const { tenant, id } = await approved();
      expect(await store().use(randomUUID(), id, 1_600)).toBe(false);
      expect(await store().use(tenant, id, 2_000)).toBe(false);
      expect(await store().use(tenant, id, 1_999)).toBe(true);
    });

    it('are listed by tenant and status, the newest first, expired ones left out, up to the limit', async () => {
      const tenant = randomUUID();
      for (const [index, createdAtMs] of [1_000, 1_200, 1_100].entries()) {
        await opened({ tenant, argumentsDigest: `a${index}`, createdAtMs, expiresAtMs: createdAtMs + 100 });
      }
      const list = async (validAtMs: number, limit = 10) =>
        (await store().list({ tenant, status: 'pending', validAtMs, limit })).map(({ createdAtMs }) => createdAtMs);
      expect(await list(0)).toEqual([1_200, 1_100, 1_000]);
      expect(await list(1_100)).toEqual([1_200, 1_100]);
      expect(await list(0, 1)).toEqual([1_200]);
      expect(await store().list({ tenant, status: 'approved', validAtMs: 0, limit: 10 })).toEqual([]);
    });
  });
}
