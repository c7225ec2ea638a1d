/** Slices of the policy set, one object for each distinct list of policies, so that equal questions share what was parsed. */

import { BoundedCache } from './bounded-cache.ts';
import type { Subject } from './entities.ts';
import { groupOf, type PolicyGroup } from './policy-groups.ts';
import type { Policy } from './policy-set.ts';
import { readsContext, unionOf, type Reads } from './policy-words.ts';
import { createScopeIndex } from './scope-index.ts';
import type { ActionName } from './vocabulary.ts';

/** The policies whose scope covers a question. */
export type Slice = {
  readonly policyVersion: string;
  readonly policies: readonly Policy[];
  readonly byId: ReadonlyMap<string, Policy>;
  /** The union of what its policies read. */
  readonly reads: Reads;
  /** Those that read nothing of `context`: what they say of a question, they say for good. */
  readonly settled: PolicyGroup;
  /** The others. */
  readonly open: PolicyGroup;
  /** The others while the arguments are unknown: forbids that read them may go either way, and are left out. */
  readonly optimistic: PolicyGroup;
  /** Ids of permits that do not count, because a workload alone asks. */
  readonly withheld: readonly string[];
};

export type Slices = {
  /** What decides. */
  readonly enforced: Slice;
  /** The same with the observed policies among them; absent when none applies. */
  readonly trial?: Slice;
};

/** Keys must differ between authorizers: the engine's prepared sets are shared by the whole thread. */
let generations = 0;

export function createSlices(
  policies: readonly Policy[],
  policyVersion: string,
  maxSlices: number,
): (principal: Subject, action: ActionName, resource: Subject) => Slices {
  const generation = ++generations;
  const index = createScopeIndex(policies);
  const known = new BoundedCache<Slice>(maxSlices);

  function sliceOf(applicable: readonly Policy[], withheld: readonly Policy[]): Slice {
    const key = `${applicable.map((policy) => policy.index).join(',')}/${withheld.map((policy) => policy.index).join(',')}`;
    const existing = known.get(key);
    if (existing !== undefined) return existing;
    const open = applicable.filter(({ reads }) => readsContext(reads));
    const atBest = open.filter(({ effect, reads }) => effect === 'permit' || !reads.arguments);
    const full = groupOf(open, 'full', generation);
    const asked = applicable.filter(({ reads }) => !readsContext(reads));
    const settled = groupOf(asked, 'full', generation);
    const slice: Slice = {
      policyVersion,
      policies: applicable,
      byId: new Map(applicable.map((policy) => [policy.id, policy])),
      reads: unionOf([settled.reads, full.reads]),
      settled,
      open: full,
      optimistic: full.reads.arguments ? groupOf(atBest, 'optimistic', generation) : full,
      withheld: withheld.map(({ id }) => id),
    };
    known.set(key, slice);
    return slice;
  }

  return (principal, action, resource) => {
    const { policies: applicable, withheld } = index.applicable(principal, action, resource);
    const enforced = applicable.filter(({ mode }) => mode === 'enforce');
    const notCounted = withheld.filter(({ mode }) => mode === 'enforce');
    const slice = sliceOf(enforced, notCounted);
    return enforced.length === applicable.length
      ? { enforced: slice }
      : { enforced: slice, trial: sliceOf(applicable, notCounted) };
  };
}
