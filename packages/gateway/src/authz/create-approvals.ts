/**
 * Approvals over a store: opens one for a permitted call, takes what people say to it, and lets it be used once. What the
 * store cannot do is refused; nothing here remembers a decision by itself.
 */

import type { Permit } from '../model/decision.ts';
import { Refusal, refuse } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Approval, ApprovalBinding, Assertion, Verdict } from './approval.ts';
import { approvalFor, bindingOf, personOf } from './approval-request.ts';
import { bindsTo, isRefusedByAnother, maySee, settledBy, waitsFor } from './approval-rules.ts';
import type { ApprovalStore } from './approval-store.ts';
import type { Approvals, DecideApproval, DecisionFault } from './approvals.ts';
import { DecisionWatch } from './decision-watch.ts';

/** What somebody said, for the record: also what was not theirs to say. */
export type ApprovalEvent = {
  readonly approval: Approval;
  readonly by: Principal;
  readonly how: Assertion;
  readonly verdict: Verdict;
  readonly atMs: number;
  readonly fault?: DecisionFault;
};

export type ApprovalsOptions = {
  readonly store: ApprovalStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** 128 random bits, base64url. */
  readonly newId: () => string;
  readonly digestArguments: (args: JsonObject) => string | undefined;
  readonly digest: (text: string) => string;
  readonly lifetimeMs: number;
  /** How many of one caller's calls may wait at once. */
  readonly maxPendingPerRequester: number;
  /** Called after every decision and every attempt at one. */
  readonly onDecision: (event: ApprovalEvent) => void;
  /** For one answer of the store. Default one second. */
  readonly storeTimeoutMs?: number;
  /** How often a waiting call looks whether another replica took a decision. Default two seconds. */
  readonly pollMs?: number;
};

/** What waits in one tenant at once, and the most that is looked through to find a person's own. */
const MAX_LISTED = 1_000;

export type WatchedApprovals = Approvals & {
  /** The approval once it is decided or expired, or as it stands after `forMs` or when the signal is aborted. */
  settled(approval: Approval, forMs: number, signal: AbortSignal): Promise<Approval>;
};

export function createApprovals(options: ApprovalsOptions): WatchedApprovals {
  assertOptions(options);
  const { now, newId, lifetimeMs, onDecision } = options;
  const store = guarded(options.store, options.storeTimeoutMs ?? 1_000);
  const watch = new DecisionWatch({ store, now, pollMs: options.pollMs ?? 2_000 });

  const listed = (tenant: string, status: Approval['status'], validAtMs: number): Promise<readonly Approval[]> =>
    store.list({ tenant, status, validAtMs, limit: MAX_LISTED });

  /** What stands in the way of a new approval: somebody's no, or too much that waits already. */
  async function existing(
    binding: ApprovalBinding,
    nowMs: number,
    othersAreAsked: boolean,
  ): Promise<Approval | undefined> {
    const { tenant, requester } = binding;
    const isIt = (approval: Approval): boolean => bindsTo(approval, binding);
    if (othersAreAsked) {
      const declined = await listed(tenant, 'declined', nowMs);
      const refused = declined.find((each) => isIt(each) && isRefusedByAnother(each));
      if (refused !== undefined) return refused;
    }
    const pending = await listed(tenant, 'pending', nowMs);
    const own = pending.filter((approval) => approval.requester === requester);
    const full = own.length >= options.maxPendingPerRequester || pending.length >= MAX_LISTED;
    if (!full || own.some(isIt)) return undefined;
    const approved = (await listed(tenant, 'approved', nowMs)).find(isIt);
    if (approved !== undefined) return approved;
    throw refuse('quota-exceeded', { message: TOO_MANY });
  }

  async function decide(id: string, { by, how, verdict }: DecideApproval): Promise<Result<Approval, DecisionFault>> {
    const atMs = now();
    const approval = await store.get(by.tenant, id);
    if (approval === undefined) return err('unknown');
    const settles = settledBy({ by, how, verdict, atMs }, approval);
    let fault: DecisionFault | undefined;
    let current = approval;
    if (settles.ok) {
      const decision = { by: personOf(by), how, verdict, decidedAtMs: atMs };
      for (const index of settles.value) {
        const decided = await store.decide(by.tenant, id, index, decision);
        // Somebody was faster, or the last moment has passed.
        if (decided === undefined) break;
        current = decided;
        if (decided.status !== 'pending') break;
      }
      if (current === approval) fault = approval.expiresAtMs <= now() ? 'expired' : 'already-decided';
    } else {
      fault = settles.error;
    }
    onDecision({ approval: current, by, how, verdict, atMs, ...(fault === undefined ? {} : { fault }) });
    if (fault !== undefined) return err(fault);
    watch.decided(current);
    return ok(current);
  }

  return {
    async open(permit: Permit, requestId: string) {
      const createdAtMs = now();
      const binding = bindingOf(permit, options);
      const made = { id: newId(), requestId, createdAtMs, expiresAtMs: createdAtMs + lifetimeMs };
      const candidate = approvalFor(permit, binding, made);
      const othersAreAsked = candidate.needs.some(({ by }) => by.kind === 'group');
      return (await existing(binding, createdAtMs, othersAreAsked)) ?? store.open(candidate);
    },
    async get(id, viewer) {
      const approval = await store.get(viewer.tenant, id);
      return approval !== undefined && maySee(approval, viewer) ? approval : undefined;
    },
    async waitingFor(viewer) {
      const pending = await listed(viewer.tenant, 'pending', now());
      return pending.filter((approval) => waitsFor(approval, viewer));
    },
    decide,
    async use(id, permit) {
      const { tenant } = permit.principal;
      const approval = await store.get(tenant, id);
      if (approval === undefined || !bindsTo(approval, bindingOf(permit, options))) return false;
      return store.use(tenant, id, now());
    },
    settled: (approval, forMs, signal) => watch.settled(approval, forMs, signal),
  };
}

const TOO_MANY =
  'Too many of your calls wait for an approval already. Have them decided first, or wait until they expire.';

function assertOptions({ lifetimeMs, maxPendingPerRequester }: ApprovalsOptions): void {
  if (!(lifetimeMs > 0)) throw new RangeError('approvals.lifetime must be above zero.');
  if (!(maxPendingPerRequester >= 1)) throw new RangeError('approvals.maxPending must be at least 1.');
}

/** The store with a bound on how long it is waited for, and one refusal for whatever goes wrong in it. */
function guarded(store: ApprovalStore, timeoutMs: number): ApprovalStore {
  async function within<T>(asked: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`the approval store did not answer within ${timeoutMs} ms`);
      timer = setTimeout(() => reject(error), timeoutMs);
    });
    try {
      return await Promise.race([asked(), late]);
    } catch (cause) {
      throw cause instanceof Refusal ? cause : refuse('approvals-unavailable', { cause });
    } finally {
      clearTimeout(timer);
    }
  }
  return {
    open: (approval) => within(() => store.open(approval)),
    get: (tenant, id) => within(() => store.get(tenant, id)),
    list: (filter) => within(() => store.list(filter)),
    decide: (tenant, id, index, decision) => within(() => store.decide(tenant, id, index, decision)),
    use: (tenant, id, usedAtMs) => within(() => store.use(tenant, id, usedAtMs)),
  };
}
