/** Reaches a server over Streamable HTTP and finds out how it speaks. One connector per server of the configuration. */

import type { Egress } from '../../egress/egress.ts';
import { failureMessage, Refusal } from '../../model/failure.ts';
import type { Era } from '../../model/revision.ts';
import type { Server } from '../../model/target.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Clock } from '../clock.ts';
import type { Connector, Upstream } from '../connector.ts';
import { findSession, openLegacySession } from './handshake.ts';
import type { Codecs, HandshakeParts } from './handshake.ts';
import { createHttpEndpoint } from './http-endpoint.ts';
import type { HttpSession } from './http-session.ts';
import { createHttpUpstream } from './http-upstream.ts';

export type HttpLimits = {
  /** How much of one answer may be held when it does not say early what it is. */
  readonly maxBufferedBytes: number;
  /** How long `server/discover` may go unanswered before `initialize` is tried. */
  readonly probeTimeoutMs: number;
  /** A verdict of this age is not trusted any more: an upgraded server would be spoken to as an old one for ever. */
  readonly maxVerdictAgeMs: number;
};

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  maxBufferedBytes: 4 * 1024 * 1024,
  probeTimeoutMs: 10_000,
  maxVerdictAgeMs: 3_600_000,
};

export type HttpConnectorOptions = {
  /** As the operator wrote it: a private address and plain HTTP are allowed. */
  readonly url: URL;
  readonly egress: Egress;
  /** `clientCodecFor` and `legacyHandshake` of `protocol/codecs.ts`. */
  readonly codecs: Codecs;
  readonly limits: HttpLimits;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** The era a server was found to speak, and when: the next session of the same version skips the probe. */
type Verdict = { readonly version: string; readonly era: Era; readonly atMs: number };

/** @throws RangeError for a URL or a limit that cannot be used. */
export function createHttpConnector(options: HttpConnectorOptions): Connector {
  const { url, egress, codecs, limits, clock, logger } = options;
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new RangeError('A server URL must be http or https.');
  if (url.username !== '' || url.password !== '') throw new RangeError('A server URL must not hold a password.');
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0)) throw new RangeError(`http limits: ${name} must be positive`);
  }
  let verdict: Verdict | undefined;

  const legacyIsKnown = (server: Server): boolean =>
    verdict?.version === server.version &&
    verdict.era === 'legacy' &&
    clock.nowMs() - verdict.atMs < limits.maxVerdictAgeMs;

  const open = async (server: Server, parts: HandshakeParts): Promise<HttpSession> => {
    if (legacyIsKnown(server)) {
      try {
        return await openLegacySession(parts);
      } catch (error) {
        if (parts.signal.aborted) throw error;
        // Perhaps the server was upgraded. What is wrong otherwise shows itself in the search.
        verdict = undefined;
      }
    }
    const session = await findSession(parts);
    verdict = { version: server.version, era: session.codec.era, atMs: clock.nowMs() };
    return session;
  };

  return {
    place: { transport: 'tcp', address: url.hostname.replaceAll(/^\[|\]$/g, ''), port: portOf(url) },
    async connect(server, credential, signal, capabilities = {}): Promise<Upstream> {
      try {
        const { maxBufferedBytes, probeTimeoutMs } = limits;
        const endpoint = createHttpEndpoint({ egress, clock, url, credential, maxBufferedBytes });
        const session = await open(server, { endpoint, codecs, probeTimeoutMs, capabilities, signal });
        const { era, revision } = session.codec;
        logger.debug({ server: server.id, era, revision }, 'The server was reached.');
        const lost = (): void => {
          verdict = undefined;
          logger.info({ server: server.id, era }, 'The server has ended the session or changed; it is found anew.');
        };
        return createHttpUpstream({ session, lost });
      } catch (error) {
        throw named(error, server);
      }
    },
  };
}

const portOf = ({ port, protocol }: URL): number => (port !== '' ? Number(port) : protocol === 'https:' ? 443 : 80);

/** Failures of a connect name the server: they are read far from where it was reached for. Nothing of a call was sent. */
function named(error: unknown, server: Server): unknown {
  if (!(error instanceof Refusal)) return error;
  const message = `The server ${server.id} cannot be used. ${failureMessage(error.failure)}`;
  return new Refusal({ ...error.failure, sent: 'no', message });
}
