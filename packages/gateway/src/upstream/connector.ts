/** The port of `upstream`: how to reach a server. One connector per transport, one upstream per session or process. */

import type { Credential } from '../credential/broker.ts';
import type { Send, ServerPlace } from '../model/call.ts';
import type { Era, Revision } from '../model/revision.ts';
import type { Server } from '../model/target.ts';

/** A live way to a server: a stdio process, a legacy HTTP session, or a modern HTTP origin. Made and closed by the pool. */
export interface Upstream {
  readonly era: Era;
  readonly revision: Revision;
  readonly transport: 'http' | 'stdio';
  readonly send: Send;
  /** Settles when the upstream is of no further use (process ended, session lost): the pool then forgets it. */
  readonly ended: Promise<void>;
  /** Ends it in an orderly way. Idempotent. */
  close(): Promise<void>;
}

export interface Connector {
  /** Where the server is, for metrics and spans. */
  readonly place: ServerPlace;
  /** Finds the era, shakes hands where that era wants it. @throws Refusal `server-unavailable`, `upstream-timeout`, `upstream-invalid` or `upstream-refused`. */
  connect(server: Server, credential: Credential, signal: AbortSignal): Promise<Upstream>;
}
