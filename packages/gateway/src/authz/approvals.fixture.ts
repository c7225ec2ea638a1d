/** Approvals as the rules have them, over a store in memory that can be made to fail; and approvals to put into it. */

import { createMapStore } from './approval-store.fixture.ts';
import type { Approval, ApprovalNeed } from './approval.ts';
import type { ApprovalStore } from './approval-store.ts';
import { createApprovals, type WatchedApprovals } from './create-approvals.ts';
import { digest, principal } from './authorizer-fixture.ts';

export type KeptApprovals = WatchedApprovals & {
  /** Puts one into the store: alice wants to drop a table, which needs a database administrator. */
  add(given?: Partial<Approval>): Approval;
  readonly kept: ReadonlyMap<string, Approval>;
  /** The store, as if it could not be reached. */
  broken: boolean;
};

export const DBA: ApprovalNeed = {
  by: { kind: 'group', group: 'dba' },
  policy: 'production-writes',
  description: 'Changes to production tables need a database administrator.',
};

export const CALLER: ApprovalNeed = { by: { kind: 'caller' }, policy: 'confirm-deletions' };

export function keptApprovals(now: () => number): KeptApprovals {
  const { kept, ...store } = createMapStore();
  let last = 0;
  const within = <T>(answer: () => Promise<T>): Promise<T> =>
    approvals.broken ? Promise.reject(new Error('the store is away')) : answer();
  const breakable: ApprovalStore = {
    open: (approval) => within(() => store.open(approval)),
    get: (tenant, id) => within(() => store.get(tenant, id)),
    list: (filter) => within(() => store.list(filter)),
    decide: (tenant, id, index, decision) => within(() => store.decide(tenant, id, index, decision)),
    use: (tenant, id, usedAtMs) => within(() => store.use(tenant, id, usedAtMs)),
  };
  const real = createApprovals({
    store: breakable,
    now,
    newId: () => `opened-${++last}`,
    digestArguments: (args) => digest(JSON.stringify(args)),
    digest,
    lifetimeMs: 900_000,
    maxPendingPerRequester: 100,
    onDecision: () => undefined,
  });
  const approvals: KeptApprovals = {
    ...real,
    kept,
    broken: false,
    add(given = {}) {
      const { key, name, issuer, subject, tenant } = principal('alice');
      const id = `approval-${++last}`;
      const approval: Approval = {
        id,
        tenant,
        requester: key,
        requestedBy: { key, name, issuer, subject },
        kind: 'tool',
        address: 'db/drop_table',
        definitionHash: 'a'.repeat(64),
        argumentsDigest: digest(id),
        arguments: { table: 'invoices' },
        risk: 'high',
        needs: [DBA],
        status: 'pending',
        requestId: '0b0c9c1e-5f3c-4f3e-9a55-2f7d1c0a7f10',
        createdAtMs: now(),
        expiresAtMs: now() + 600_000,
        ...given,
      };
      kept.set(approval.id, approval);
      return approval;
    },
  };
  return approvals;
}
