/**
 * Policies that are put to the engine together. At most so many at a time: the engine takes 70 us to read a policy and 3 us to
 * judge it (measured), and whoever works off a long list gives way between two sets, not within one.
 */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Policy } from './policy-set.ts';
import { unionOf, type Reads } from './policy-words.ts';
import { preparedSet } from './prepared-sets.ts';

const MAX_POLICIES_PER_SET = 16;

export type PolicyGroup = {
  readonly policies: readonly Policy[];
  readonly sets: readonly EngineSet[];
  /** The union of what its policies read. */
  readonly reads: Reads;
  readonly hasPermit: boolean;
};

export type EngineSet = {
  /** Whether the engine was handed it before; it may have dropped it since, which costs time and no more. */
  readonly isReady: () => boolean;
  /** The engine's name for it. */
  readonly name: () => string;
};

/** `full`: as they are. `optimistic`: as they can come out at best, arguments unknown (`optimistic.ts`). */
export type Form = 'full' | 'optimistic';

/** @param generation Of the authorizer: the engine's sets are shared by the whole thread. */
export function groupOf(policies: readonly Policy[], form: Form, generation: number): PolicyGroup {
  const sets: EngineSet[] = [];
  for (let from = 0; from < policies.length; from += MAX_POLICIES_PER_SET) {
    sets.push(engineSet(policies.slice(from, from + MAX_POLICIES_PER_SET), form, generation));
  }
  return {
    policies,
    sets,
    reads: unionOf(policies.map(({ reads }) => reads)),
    hasPermit: policies.some(({ effect }) => effect === 'permit'),
  };
}

function engineSet(policies: readonly Policy[], form: Form, generation: number): EngineSet {
  const key = `${generation}/${form}/${policies.map(({ index }) => index).join(',')}`;
  const read = (): Readonly<Record<string, PolicyJson>> =>
    Object.fromEntries(
      policies.map(({ id, judged, optimistic }) => [id, form === 'full' ? judged : (optimistic ?? judged)]),
    );
  let ready = false;
  return {
    isReady: () => ready,
    name: () => {
      const name = preparedSet(key, read);
      ready = true;
      return name;
    },
  };
}
