/** The port of `authz`: may they. The only maker of permits. */

import type { Admission, Decision } from '../model/decision.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts, ResolvedRequest } from '../model/request.ts';
import type { Entry } from '../model/target.ts';

export type Caller = { readonly principal: Principal; readonly client: ClientFacts };

export interface Authorizer {
  /** A digest of the policies in force: cached decisions carry it. */
  readonly version: string;
  /** May the caller use this entry at all, arguments unknown? Admitted unless certainly denied. */
  admit(caller: Caller, entry: Entry): Admission;
  /** The same for many, in their order; long lists are worked off in slices of less than 5 ms. */
  admitAll(caller: Caller, entries: readonly Entry[]): readonly boolean[] | Promise<readonly boolean[]>;
  /** The full decision, arguments known. Any evaluation error is a deny, and so is a target of several entries. */
  authorize(request: ResolvedRequest): Decision;
}
