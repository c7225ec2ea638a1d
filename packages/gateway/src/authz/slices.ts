/** Slices of the policy set, one object for each distinct list of policies, so that equal questions share what was parsed. */

import { BoundedCache } from './bounded-cache.ts';
import type { Subject } from './entities.ts';
import type { Slice } from './evaluate.ts';
import type { Policy } from './policy-set.ts';
import { createScopeIndex } from './scope-index.ts';
import type { ActionName } from './vocabulary.ts';

/** Keys must differ between authorizers: the engine's prepared sets are shared by the whole thread. */
let generations = 0;

export function createSlices(
  policies: readonly Policy[],
  policyVersion: string,
  maxSlices: number,
): (principal: Subject, action: ActionName, resource: Subject) => Slice {
  const generation = ++generations;
  const index = createScopeIndex(policies);
  const known = new BoundedCache<Slice>(maxSlices);
  return (principal, action, resource) => {
    const applicable = index.applicable(principal, action, resource);
    const key = `${generation}:${applicable.map((policy) => policy.index).join(',')}`;
    const existing = known.get(key);
    if (existing !== undefined) return existing;
    const slice: Slice = {
      key,
      policies: applicable,
      byId: new Map(applicable.map((policy) => [policy.id, policy])),
      policyVersion,
      reads: {
        arguments: applicable.some(({ reads }) => reads.arguments),
        surface: applicable.some(({ reads }) => reads.surface),
        method: applicable.some(({ reads }) => reads.method),
        now: applicable.some(({ reads }) => reads.now),
        attributes: new Set(applicable.flatMap(({ reads }) => [...reads.attributes])),
      },
    };
    known.set(key, slice);
    return slice;
  };
}
