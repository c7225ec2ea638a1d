/** The port of `quota`: how much. */

import type { Operation } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';

/** What limits count by. */
export type Counted = {
  readonly principal: Principal;
  readonly entry: Entry;
  readonly operation: Operation;
  /** The client's network address. */
  readonly address: string;
};

export type QuotaVerdict =
  /** `release` is there when a place among calls in flight was taken: to be called once, when the call is over. */
  | { readonly allowed: true; readonly release?: () => void }
  | {
      readonly allowed: false;
      readonly retryAfterMs: number;
      /** The limit, as the operator wrote it. */
      readonly limit: string;
      /** `repeated`: the same call with the same arguments, again and again. */
      readonly because: 'rate' | 'in-flight' | 'repeated';
    };

export interface Limiter {
  /** Takes one from every limit that applies, or from none when one of them is empty. */
  consume(counted: Counted): QuotaVerdict;
}
