/** Reaches a server over HTTP and finds out how it speaks: the modern era, the legacy one, or HTTP+SSE. One connector per server of the configuration. */

import type { Egress } from '../../egress/egress.ts';
import { failureMessage, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { Era } from '../../model/revision.ts';
import type { Server } from '../../model/target.ts';
import type { Instruments } from '../../telemetry/instruments.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Clock } from '../clock.ts';
import type { Connector, Upstream } from '../connector.ts';
import { findSession, isTurnedAway, openLegacySession } from './handshake.ts';
import type { Codecs, HandshakeParts } from './handshake.ts';
import { createHttpEndpoint } from './http-endpoint.ts';
import type { HttpSession } from './http-session.ts';
import { createHttpUpstream } from './http-upstream.ts';
import { openSse } from '../sse/open-sse.ts';
import type { AskingHabit } from '../stdio/turns.ts';

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
  readonly instruments: Pick<Instruments, 'logDropped'>;
  /** Which transport, where the operator knows. Undefined: found out. */
  readonly only?: 'streamable-http' | 'sse';
};

type Spoken = Era | 'sse';

/** How a server was found to speak, and when: the next session of the same version skips the probe. */
type Verdict = { readonly version: string; readonly spoken: Spoken; readonly atMs: number };

type Opening = HandshakeParts & { readonly server: Server };

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
  const habit: AskingHabit = { asks: false };

  const known = (server: Server): Spoken | undefined => {
    if (options.only === 'sse') return 'sse';
    const isFresh = verdict?.version === server.version && clock.nowMs() - verdict.atMs < limits.maxVerdictAgeMs;
    return isFresh ? verdict?.spoken : undefined;
  };

  const note = (server: Server, spoken: Spoken): void => {
    // A remembered verdict keeps its date: only a search renews it.
    if (known(server) !== spoken) verdict = { version: server.version, spoken, atMs: clock.nowMs() };
  };

  const overSse = async (opening: Opening): Promise<Upstream> => {
    const logDropped = (): void => options.instruments.logDropped(opening.server.id);
    const upstream = await openSse({ ...opening, openTimeoutMs: opening.probeTimeoutMs, habit, logger, logDropped });
    note(opening.server, 'sse');
    return upstream;
  };

  const overHttp = (session: HttpSession, server: Server): Upstream => {
    const { era, revision } = session.codec;
    note(server, era);
    logger.debug({ server: server.id, era, revision }, 'The server was reached.');
    const lost = (): void => {
      verdict = undefined;
      logger.info({ server: server.id, era }, 'The server has ended the session or changed; it is found anew.');
    };
    return createHttpUpstream({ session, lost });
  };

  const search = async (opening: Opening): Promise<Upstream> => {
    const found = await findSession(opening);
    if (!isTurnedAway(found)) return overHttp(found, opening.server);
    if (options.only === 'streamable-http') throw new Refusal(found.failure);
    try {
      return await overSse(opening);
    } catch (error) {
      throw neither(found.failure, error);
    }
  };

  const open = async (opening: Opening): Promise<Upstream> => {
    const spoken = known(opening.server);
    if (options.only === 'sse') return overSse(opening);
    if (spoken === undefined || spoken === 'modern') return search(opening);
    try {
      if (spoken === 'sse') return await overSse(opening);
      return overHttp(await openLegacySession(opening), opening.server);
    } catch (error) {
      if (opening.signal.aborted) throw error;
      // Perhaps the server was upgraded. What is wrong otherwise shows itself in the search.
      verdict = undefined;
      return search(opening);
    }
  };

  return {
    place: { transport: 'tcp', address: url.hostname.replaceAll(/^\[|\]$/g, ''), port: portOf(url) },
    async connect(server, credential, signal, capabilities = {}): Promise<Upstream> {
      try {
        const { maxBufferedBytes, probeTimeoutMs } = limits;
        const endpoint = createHttpEndpoint({ egress, clock, url, credential, maxBufferedBytes });
        return await open({ server, endpoint, codecs, probeTimeoutMs, capabilities, signal });
      } catch (error) {
        throw named(error, server);
      }
    },
  };
}

const portOf = ({ port, protocol }: URL): number => (port !== '' ? Number(port) : protocol === 'https:' ? 443 : 80);

/** It turned POSTs away, and has no stream either: what it said to the POST is what its operator should read. */
function neither(of: Failure, tried: unknown): unknown {
  if (!(tried instanceof Refusal)) return tried;
  const { failure: other } = tried;
  if (other.code !== 'upstream-invalid') return tried;
  const message = `${failureMessage(of)} Nor does it speak HTTP+SSE there: ${failureMessage(other)}`;
  return new Refusal({ ...of, message });
}

/** Failures of a connect name the server: they are read far from where it was reached for. Nothing of a call was sent. */
function named(error: unknown, server: Server): unknown {
  if (!(error instanceof Refusal)) return error;
  const message = `The server ${server.id} cannot be used. ${failureMessage(error.failure)}`;
  return new Refusal({ ...error.failure, sent: 'no', message });
}
