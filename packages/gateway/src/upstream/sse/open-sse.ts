/** A server over HTTP+SSE (MCP 2024-11-05) as an `Upstream`: a session, the legacy handshake in it, and then a pipe like stdio. */

import { refuse, Refusal } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ClientFacts } from '../../model/request.ts';
import { NEWEST_MODERN } from '../../model/revision.ts';
import type { Server } from '../../model/target.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Upstream } from '../connector.ts';
import type { Codecs } from '../http/handshake.ts';
import type { HttpEndpoint } from '../http/http-endpoint.ts';
import { openAs } from '../stdio/handshake.ts';
import { createStdioUpstream } from '../stdio/stdio-upstream.ts';
import type { AskingHabit } from '../stdio/turns.ts';
import { openSseSession } from './sse-session.ts';

export type OpenSseParts = {
  readonly server: Server;
  readonly endpoint: HttpEndpoint;
  readonly codecs: Codecs;
  /** For the server to name where messages go. */
  readonly openTimeoutMs: number;
  /** What the server is told that it may ask. */
  readonly capabilities: JsonObject;
  readonly habit: AskingHabit;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** A log message that could have been anybody's. */
  readonly logDropped: () => void;
};

/** A handshake has no caller behind it. */
const OURSELVES: ClientFacts = { era: 'modern', revision: NEWEST_MODERN, capabilities: {}, address: '' };
/** For `initialize`; whoever connects has a shorter time as a rule. */
const HANDSHAKE_MS = 60_000;

/** @throws Refusal */
export async function openSse(parts: OpenSseParts): Promise<Upstream> {
  const { server, endpoint, codecs, capabilities, habit, signal, logger } = parts;
  const { clock, maxBufferedBytes } = endpoint;
  const session = await openSseSession({ ...parts, server: server.id });
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void =>
    reject(signal.reason instanceof Refusal ? signal.reason : refuse('cancelled', { cause: signal.reason }));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    const { clientCodecFor, legacyHandshake } = codecs;
    const shaking = { clock, codecFor: clientCodecFor, legacy: legacyHandshake, client: OURSELVES, capabilities };
    const { revision, discovery } = await Promise.race([openAs('legacy', session, shaking, HANDSHAKE_MS), aborted]);
    session.multiplexer.era = 'legacy';
    // The header came with 2025-06-18; servers on newer SDKs look for it on this transport as well.
    if (revision !== '2025-03-26') session.speak(['mcp-protocol-version', revision]);
    logger.debug({ server: server.id, revision }, 'The server was reached over HTTP+SSE.');
    return createStdioUpstream({
      session,
      transport: 'sse',
      codec: clientCodecFor(revision),
      discovery,
      capabilities,
      isShared: server.sharing === 'shared',
      habit,
      clock,
      maxLineBytes: maxBufferedBytes,
      logDropped: parts.logDropped,
    });
  } catch (error) {
    void session.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
