/** Starts a server's process and finds out how it speaks. One connector per server of the configuration. */

import { failureMessage, Refusal, refuse } from '../../model/failure.ts';
import type { Credential } from '../../credential/broker.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ClientFacts } from '../../model/request.ts';
import { NEWEST_MODERN } from '../../model/revision.ts';
import type { Era, Revision } from '../../model/revision.ts';
import type { Server } from '../../model/target.ts';
import type { Instruments } from '../../telemetry/instruments.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ClientCodec, LegacyHandshake } from '../../protocol/codec.ts';
import type { Clock } from '../clock.ts';
import type { Connector, Upstream } from '../connector.ts';
import { confined, type Confinement, type ConfiningTools, type Program } from './confine.ts';
import { childEnvironment, INHERITED_VARIABLES } from './environment.ts';
import type { GroupLimits } from './group-limits.ts';
import { openAs, probe } from './handshake.ts';
import type { HandshakeParts, Shaken } from './handshake.ts';
import { openSession } from './stdio-session.ts';
import type { SessionBounds, StdioSession } from './stdio-session.ts';
import type { AskingHabit } from './turns.ts';
import { createStdioUpstream } from './stdio-upstream.ts';

export type StdioLimits = SessionBounds & {
  /** For one process, from its start to the end of the handshake. */
  readonly startTimeoutMs: number;
  /** How long `server/discover` may go unanswered before `initialize` is tried as well. */
  readonly probeTimeoutMs: number;
  /** A verdict of this age is not trusted any more: an upgraded server would be spoken to as an old one for ever. */
  readonly maxVerdictAgeMs: number;
};

export const DEFAULT_STDIO_LIMITS: StdioLimits = {
  maxLineBytes: 16 * 1024 * 1024,
  maxQueuedCharacters: 8 * 1024 * 1024,
  stderrLines: 20,
  graces: { closedInputMs: 2000, terminateMs: 2000, killMs: 1000 },
  startTimeoutMs: 60_000,
  probeTimeoutMs: 1500,
  maxVerdictAgeMs: 24 * 3_600_000,
};

export type StdioConnectorOptions = {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Undefined: it may do what the gateway's user may. */
  readonly confinement?: Confinement & { readonly group: GroupLimits; readonly tools: ConfiningTools };
  /** Variables the operator gave as plain text. Secrets come with the credential. */
  readonly env: Readonly<Record<string, string>>;
  /** The gateway's own environment, of which only `inherit` is handed on. */
  readonly ownEnvironment: Readonly<Record<string, string | undefined>>;
  readonly inherit?: readonly string[];
  /** `clientInfo` of the handshake. */
  readonly client: { readonly name: string; readonly version: string };
  /** `clientCodecFor` and `legacyHandshake` of `protocol/codecs.ts`. */
  readonly codecs: {
    readonly clientCodecFor: (revision: Revision) => ClientCodec;
    readonly legacyHandshake: LegacyHandshake;
  };
  readonly limits: StdioLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instruments: Pick<Instruments, 'processStarted' | 'logDropped'>;
};

/** The era a server was found to speak, and when: the next start of the same version skips the probe. */
type Verdict = { readonly version: string; readonly era: Era; readonly atMs: number };

type Attempt = {
  readonly server: Server;
  readonly credential: Credential;
  readonly signal: AbortSignal;
  readonly capabilities: JsonObject;
};

export function createStdioConnector(options: StdioConnectorOptions): Connector {
  const { limits, clock } = options;
  const { clientCodecFor, legacyHandshake } = options.codecs;
  if (options.command === '') throw new RangeError('A stdio server needs a command.');
  let verdict: Verdict | undefined;
  const habit: AskingHabit = { asks: false };
  const client = ownFacts(options.client);
  const program = (): Program => {
    const { command, args, cwd, confinement } = options;
    const own = { command, args, cwd };
    return confinement === undefined ? own : confined(own, confinement, confinement.tools);
  };
  const partsFor = ({ capabilities }: Attempt): HandshakeParts => ({
    clock,
    codecFor: clientCodecFor,
    legacy: legacyHandshake,
    client,
    capabilities,
  });

  const start = ({ server, credential }: Attempt): StdioSession =>
    openSession({
      ...limits,
      ...program(),
      server: server.id,
      groupLimits: options.confinement?.group ?? {},
      clock,
      env: childEnvironment({
        own: options.ownEnvironment,
        inherit: options.inherit ?? INHERITED_VARIABLES,
        explicit: options.env,
        credential,
      }),
      secrets: Object.values(credential.env).map((secret) => secret.expose()),
      logger: options.logger,
    });

  const knownEra = (server: Server): Era | undefined =>
    verdict?.version === server.version && clock.nowMs() - verdict.atMs < limits.maxVerdictAgeMs
      ? verdict.era
      : undefined;

  const ready = (session: StdioSession, shaken: Shaken, { server, capabilities }: Attempt): Upstream => {
    const codec = clientCodecFor(shaken.revision);
    session.multiplexer.era = codec.era;
    // A remembered verdict keeps its date: only a probe renews it.
    if (knownEra(server) !== codec.era) verdict = { version: server.version, era: codec.era, atMs: clock.nowMs() };
    const { discovery } = shaken;
    return createStdioUpstream({
      session,
      transport: 'stdio',
      codec,
      discovery,
      capabilities,
      isShared: server.sharing === 'shared',
      habit,
      clock,
      maxLineBytes: limits.maxLineBytes,
      logDropped: () => options.instruments.logDropped(server.id),
    });
  };

  const openKnown = (era: Era, attempt: Attempt): Promise<Upstream> =>
    inSession(start(attempt), attempt.signal, async (session) => {
      const shaken = await openAs(era, session, partsFor(attempt), limits.startTimeoutMs);
      return ready(session, shaken, attempt);
    });

  const openUnknown = async (attempt: Attempt): Promise<Upstream> => {
    const { promise: doubts, resolve: doubt } = Promise.withResolvers<Era>();
    const upstream = await inSession(start(attempt), attempt.signal, async (session) => {
      const probed = await probe(session, partsFor(attempt), { ...limits, giveUpMs: limits.startTimeoutMs });
      if (probed.kind === 'known') return ready(session, probed.shaken, attempt);
      const { era, why } = probed;
      options.logger.debug({ server: attempt.server.id, era, why }, 'The process is started anew after the probe.');
      doubt(era);
      return undefined;
    });
    return upstream ?? openKnown(await doubts, attempt);
  };

  const open = async (attempt: Attempt): Promise<Upstream> => {
    const era = knownEra(attempt.server);
    if (era === undefined) return openUnknown(attempt);
    try {
      return await openKnown(era, attempt);
    } catch (error) {
      if (attempt.signal.aborted) throw error;
      // Perhaps the program behind the command was replaced by one of the other era.
      verdict = undefined;
      return openUnknown(attempt);
    }
  };

  return {
    place: { transport: 'pipe' },
    async connect(server, credential, signal, capabilities = {}) {
      const startedMs = clock.nowMs();
      const upstream = await open({ server, credential, signal, capabilities }).catch((error: unknown) => {
        throw named(error, server);
      });
      options.instruments.processStarted(server.id, 'cold', (clock.nowMs() - startedMs) / 1000);
      return upstream;
    },
  };
}

/** Runs a handshake; whatever comes of it, a process that is not handed on as an upstream is ended first. */
async function inSession<T extends Upstream | undefined>(
  session: StdioSession,
  signal: AbortSignal,
  shake: (session: StdioSession) => Promise<T>,
): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void =>
    reject(signal.reason instanceof Refusal ? signal.reason : refuse('cancelled', { cause: signal.reason }));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let upstream: T | undefined;
  try {
    upstream = await Promise.race([shake(session), aborted]);
    return upstream;
  } finally {
    signal.removeEventListener('abort', abort);
    if (upstream === undefined) await session.close();
  }
}

/** Failures of a start name the server: they are read far from where it was started. */
function named(error: unknown, server: Server): unknown {
  if (!(error instanceof Refusal)) return error;
  const message = `The server ${server.id} did not start. ${failureMessage(error.failure)}`;
  return new Refusal({ ...error.failure, sent: 'no', message });
}

/** A handshake has no caller behind it, so it speaks for the gateway itself. */
function ownFacts(client: { readonly name: string; readonly version: string }): ClientFacts {
  return { era: 'modern', revision: NEWEST_MODERN, info: client, capabilities: {}, address: '' };
}
