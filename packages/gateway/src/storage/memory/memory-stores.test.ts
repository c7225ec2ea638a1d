import { describe, expect, it } from 'vitest';

import { describeBodyStore, newBody } from '../../audit/body-store.contract.ts';
import { describeApiKeyStore } from '../../authn/api-key-store.contract.ts';
import { describeApprovalStore, newApproval } from '../../authz/approval-store.contract.ts';
import { describeGrantVault } from '../../credential/grant-vault.contract.ts';
import { createMemoryApiKeyStore } from './memory-api-key-store.ts';
import { createMemoryApprovalStore } from './memory-approval-store.ts';
import { createMemoryBodyStore } from './memory-body-store.ts';
import { createMemoryGrantStore } from './memory-grant-store.ts';

const keys = createMemoryApiKeyStore();
describeApiKeyStore('memory', () => keys);

const approvals = createMemoryApprovalStore();
describeApprovalStore('memory', () => [approvals, approvals]);

const clock = { nowMs: 0 };
const bodies = createMemoryBodyStore({ now: () => clock.nowMs });
describeBodyStore('memory', () => bodies, clock);

const grants = createMemoryGrantStore();
describeGrantVault('memory', () => [grants, grants]);

describe('memory that is full', () => {
  it('forgets approvals that are over, and refuses more rather than forget an open one', async () => {
    const store = createMemoryApprovalStore({ maxApprovals: 2 });
    const first = await store.open(newApproval());
    await store.open(newApproval());
    await expect(store.open(newApproval())).rejects.toThrow('2 open approvals');
    const later = await store.open(newApproval({ createdAtMs: 2_000, expiresAtMs: 3_000 }));
    expect(await store.get(first.tenant, first.id)).toBeUndefined();
    expect(await store.get(later.tenant, later.id)).toEqual(later);
  });

  it('refuses more bodies, and takes them when the time of others is over', async () => {
    const time = { nowMs: 1_500 };
    const store = createMemoryBodyStore({ now: () => time.nowMs, maxBodies: 1 });
    await store.put([newBody()]);
    await expect(store.put([newBody()])).rejects.toThrow('1 bodies');
    time.nowMs = 2_000;
    await store.put([newBody()]);
    const small = createMemoryBodyStore({ now: () => 0, maxChars: 10 });
    await expect(small.put([newBody()])).rejects.toThrow('10 characters');
  });

  it('refuses more API keys', async () => {
    const store = createMemoryApiKeyStore({ maxKeys: 0 });
    const key = { id: '1', tenant: 't', name: 'n', hash: 'h', hint: '', groups: [], createdAtMs: 0 };
    await expect(store.create(key)).rejects.toThrow('0 API keys');
  });
});
