/**
 * Policy sets kept parsed inside the WebAssembly engine. The engine remembers them by name for the life of the thread and
 * forgets none, so names are reused: a bounded number of slots, the one unused for longest overwritten first. The state is
 * the engine's, one per thread, and so is this module's.
 */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

const MAX_SLOTS = 512;

/** About 1.5 KB each, measured: 30 MB when full. */
const MAX_POLICIES = 20_000;

type Slot = { readonly name: string; readonly policies: number };

/** In the order of use: the first is the one unused for longest. */
const slots = new Map<string, Slot>();
const freeNames: string[] = Array.from({ length: MAX_SLOTS }, (_, index) => `slot-${index}`);
let preparedPolicies = 0;

/**
 * The engine's name for a set of policies; parses them when the engine does not hold them any more.
 *
 * @param key Unique for these very policies.
 * @throws Error when Cedar refuses policies that it has parsed before.
 */
export function preparedSet(key: string, read: () => Readonly<Record<string, PolicyJson>>): string {
  const held = slots.get(key);
  if (held !== undefined) {
    slots.delete(key);
    slots.set(key, held);
    return held.name;
  }
  const policies = read();
  const count = Object.keys(policies).length;
  while (slots.size > 0 && (freeNames.length === 0 || preparedPolicies + count > MAX_POLICIES)) evictOldest();
  const name = freeNames.pop();
  if (name === undefined) throw new Error('The engine has no slot left for a policy set.');
  const answer = cedar.preparsePolicySet(name, { staticPolicies: policies });
  if (answer.type === 'failure') {
    freeNames.push(name);
    throw new Error(`Cedar refused a set of known policies: ${answer.errors[0]?.message ?? 'no reason given'}`);
  }
  preparedPolicies += count;
  slots.set(key, { name, policies: count });
  return name;
}

function evictOldest(): void {
  for (const [key, slot] of slots) {
    slots.delete(key);
    preparedPolicies -= slot.policies;
    cedar.preparsePolicySet(slot.name, { staticPolicies: {} });
    freeNames.push(slot.name);
    return;
  }
}
