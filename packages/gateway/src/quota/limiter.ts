/** The port of `quota`: how much. */

import type { Principal } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';

export type QuotaVerdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly retryAfterMs: number;
      /** The limit, as the operator wrote it. */ readonly limit: string;
    };

export interface Limiter {
  /** Takes one from every limit that applies, or from none when one of them is empty. */
  consume(principal: Principal, entry: Entry): QuotaVerdict;
}
