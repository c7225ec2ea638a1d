/** What happens to every request, in order. */

import type { ClientChannel, Outcome } from '../model/outcome.ts';
import type { Principal } from '../model/principal.ts';
import type { InboundRequest } from '../model/request.ts';

export type Exchange = {
  readonly channel: ClientChannel;
  /** Aborted when the client of a modern request goes away, and when the gateway has drained. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
};

/** `principal` is there whenever authentication succeeded: the entrypoint seals for it. */
export type Handled = { readonly outcome: Outcome; readonly principal?: Principal };

export interface Pipeline {
  /** Never throws: what went wrong is an outcome, and it is recorded. */
  handle(request: InboundRequest, exchange: Exchange): Promise<Handled>;
}
