/** Who asks and what for, as entities: made once, and known again by a small number that keys of memories are made of. */

import type { Principal } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';
import { BoundedCache } from './bounded-cache.ts';
import { entrySubject, principalSubject, type PrincipalDetail, type Subject } from './entities.ts';

export type Known = { readonly id: number; readonly subject: Subject };

/**
 * By the object first, because the authenticator returns the same one for a cached token; then by everything that policy can
 * see of it, so that a new token of the same person finds the old verdicts, and a person whose groups changed, or who comes
 * from another workload, does not.
 */
export function principalRegister(detail: PrincipalDetail, maxPrincipals: number): (principal: Principal) => Known {
  const byObject = new WeakMap<Principal, Known>();
  const byIdentity = new BoundedCache<Known>(maxPrincipals);
  let lastId = 0;
  return (principal) => {
    const known = byObject.get(principal);
    if (known !== undefined) return known;
    const subject = principalSubject(principal, detail);
    const identity = JSON.stringify([subject.entities, subject.workload, subject.problem]);
    const same = byIdentity.get(identity);
    const found = same ?? { id: ++lastId, subject };
    if (same === undefined) byIdentity.set(identity, found);
    byObject.set(principal, found);
    return found;
  };
}

/** The catalog keeps an entry's object for as long as it does not change. */
export function entryRegister(): (entry: Entry) => Known {
  const byObject = new WeakMap<Entry, Known>();
  let lastId = 0;
  return (entry) => {
    const known = byObject.get(entry);
    if (known !== undefined) return known;
    const found: Known = { id: ++lastId, subject: entrySubject(entry) };
    byObject.set(entry, found);
    return found;
  };
}
