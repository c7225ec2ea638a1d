/**
 * The log level of a legacy session (MCP 2025-11-25, server/utilities/logging): said once, and good for every request of the
 * session from then on. A client that never said one gets no log messages: the protocol leaves that choice to the server,
 * and a server's session may be shared with somebody who made it talk.
 */

import { failure } from '../model/failure.ts';
import type { LogLevel } from '../model/log-level.ts';
import type { Handled } from '../pipeline/pipeline.ts';
import type { DecodedRequest } from '../protocol/codec.ts';
import type { EntrypointParts } from './parts.ts';
import type { Session } from './session-ids.ts';

/** What the session asked for, on each of its requests. */
export function atLevel(decoded: DecodedRequest, logLevel: LogLevel | undefined): DecodedRequest {
  return logLevel === undefined ? decoded : { ...decoded, meta: { ...decoded.meta, logLevel } };
}

/** Remembers what the client asked for, once the pipeline has let it. Where that cannot be done, the client is told. */
export async function keepLogLevel(
  { sessions }: Pick<EntrypointParts, 'sessions'>,
  session: Session | undefined,
  { operation }: DecodedRequest,
  handled: Handled,
): Promise<Handled> {
  if (operation.kind !== 'set-log-level' || handled.outcome.kind === 'failed' || session === undefined) return handled;
  const isKept = await sessions.setLogLevel(session.nonce, operation.level, session.expiresAtMs);
  return isKept ? handled : { ...handled, outcome: { kind: 'failed', failure: failure('overloaded') } };
}
