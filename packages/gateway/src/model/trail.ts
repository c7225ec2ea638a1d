/** What a request leaves behind as it passes the steps. Steps write facts; only `record` reads them. */

import type { Decision } from './decision.ts';
import type { Operation } from './operation.ts';
import type { Principal } from './principal.ts';
import type { Entry } from './target.ts';

export type Fact =
  | { readonly kind: 'authenticated'; readonly principal: Principal }
  | { readonly kind: 'resolved'; readonly entry: Entry }
  /** The operation with what the operator pinned. */
  | { readonly kind: 'pinned'; readonly operation: Operation }
  | { readonly kind: 'decided'; readonly decision: Decision }
  | { readonly kind: 'listed'; readonly shown: number; readonly hidden: number }
  | { readonly kind: 'intended'; readonly sequence: number }
  /** Something is held for as long as the request lasts. */
  | { readonly kind: 'holding'; readonly release: () => void };

export interface Trail {
  note(fact: Fact): void;
}
