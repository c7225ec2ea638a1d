/** How servers are reached: routes, connectors and credentials that a configuration asks for. */

import { hash, randomBytes, randomUUID } from 'node:crypto';

import { makeIntent } from '../audit/intent.ts';
import { SYSTEM_PRINCIPAL, systemPermit, type SystemOperation } from '../authz/permit.ts';
import { serverEntryOf, type CatalogServer } from '../catalog/offering.ts';
import type { Config } from '../config/config.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { Environment } from '../config/load.ts';
import type { CredentialBroker, CredentialRenewal } from '../credential/broker.ts';
import type { CredentialSource } from '../credential/credential-report.ts';
import type { SecretResolver } from '../credential/secret-resolver.ts';
import { createStaticBroker, type CredentialSources } from '../credential/static-broker.ts';
import type { Egress } from '../egress/egress.ts';
import type { Call } from '../model/call.ts';
import type { Listing, ReplicaId } from '../model/outcome.ts';
import { NEWEST_MODERN } from '../model/revision.ts';
import type { Endpoint, Server, ServerId } from '../model/target.ts';
import { clientCodecFor, legacyHandshake } from '../protocol/codecs.ts';
import { SALLYPORT } from '../protocol/identity.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import { confinementOf, findConfiningTools, tellMissingTools } from './confinement.ts';
import { systemClock } from '../upstream/clock.ts';
import type { Connector } from '../upstream/connector.ts';
import type { ConfiningTools } from '../upstream/stdio/confine.ts';
import { createHttpConnector, DEFAULT_HTTP_LIMITS } from '../upstream/http/http-connector.ts';
import { DEFAULT_LISTING_LIMITS, fetchListing } from '../upstream/listing.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from '../upstream/pool-shelf.ts';
import { createStdioConnector, DEFAULT_STDIO_LIMITS } from '../upstream/stdio/stdio-connector.ts';
import type { TaskLimits } from '../upstream/tasks/task-limits.ts';
import { createUpstreams, type Route, type Upstreams } from '../upstream/upstreams.ts';

export type UpstreamParts = {
  readonly config: Config;
  readonly env: Environment;
  readonly secrets: SecretResolver;
  readonly egress: Egress;
  readonly logger: Logger;
  readonly instruments: Instruments;
  readonly replica: ReplicaId;
  /** Beside headers and variables: how servers with a mode of their own are called. */
  readonly accepting: (fixed: CredentialBroker) => CredentialBroker & CredentialRenewal;
  /** A server says that what it offers has changed. */
  readonly listChanged: (server: ServerId) => void;
};

/** Inside a seal already; unguessable by itself as well. */
const PARKED_ID_BYTES = 16;

export type ComposedUpstreams = Upstreams & {
  /** What servers are called with. */
  readonly credentials: CredentialSource;
};

export function composeUpstreams(parts: UpstreamParts): ComposedUpstreams {
  const { config, env, secrets, logger, instruments, replica } = parts;
  const tools = findConfiningTools(env);
  tellMissingTools(config, tools, logger);
  const routes = new Map(config.servers.map((server) => [server.id, routeTo(server, { ...parts, tools })]));
  const clockMs = (): number => systemClock.nowMs();
  const servers = Object.fromEntries(config.servers.map((server) => [server.id, credentialSources(server)]));
  const fixed = createStaticBroker({ servers, resolver: secrets, clockMs, now: Date.now });
  const broker = parts.accepting(fixed);
  const upstreams = createUpstreams({
    routeTo: (server) => routes.get(server),
    broker,
    renewal: broker,
    instruments,
    logger,
    clock: systemClock,
    random: Math.random,
    tasks: taskLimits(config),
    feeds: {
      ownPrincipal: SYSTEM_PRINCIPAL,
      maxFeeds: config.subscriptions.maxFeeds,
      listChanged: parts.listChanged,
    },
    parking: {
      replica,
      limits: config.questions,
      newId: () => randomBytes(PARKED_ID_BYTES).toString('base64url'),
    },
  });
  return { ...upstreams, credentials: fixed };
}

const taskLimits = ({ tasks: { lifetimeMs: _ofIds, ...limits } }: Config): TaskLimits => limits;

type RouteParts = UpstreamParts & { readonly tools: ConfiningTools };

function routeTo(server: ServerConfig, parts: RouteParts): Route {
  return {
    connector: connectorTo(server, parts),
    limits: poolLimits(server),
    timeouts: server.timeouts,
    maxInFlight: server.maxInFlight,
    retries: server.retries,
    breaker: server.breaker,
  };
}

function poolLimits({ pool, connectTimeoutMs }: ServerConfig): PoolLimits {
  const { max, idleMs, waitMs, spares } = pool;
  return {
    ...DEFAULT_POOL_LIMITS,
    maxUpstreams: max,
    idleTimeoutMs: idleMs,
    waitTimeoutMs: waitMs,
    connectTimeoutMs,
    spares,
  };
}

function connectorTo(server: ServerConfig, { config, env, egress, logger, instruments, tools }: RouteParts): Connector {
  const { transport } = server;
  const common = { codecs: { clientCodecFor, legacyHandshake }, clock: systemClock, logger, instruments };
  const { maxBufferedResultBytes } = config.requests;
  if (transport.kind === 'http') {
    const limits = { ...DEFAULT_HTTP_LIMITS, maxBufferedBytes: maxBufferedResultBytes };
    const { url, only } = transport;
    return createHttpConnector({
      ...common,
      url: new URL(url),
      egress,
      limits,
      ...(only === undefined ? {} : { only }),
    });
  }
  const { command, args, cwd } = transport;
  const limits = { ...DEFAULT_STDIO_LIMITS, maxLineBytes: maxBufferedResultBytes };
  // Variables come with the credential, plain ones too, so that there is one place that knows them all.
  return createStdioConnector({
    ...common,
    command,
    args,
    cwd,
    env: {},
    ownEnvironment: env,
    client: SALLYPORT,
    limits,
    ...confinementOf(transport, config, tools),
  });
}

function credentialSources({ transport }: ServerConfig): CredentialSources {
  return transport.kind === 'http' ? { headers: transport.headers, env: {} } : { headers: {}, env: transport.env };
}

/** Its version changes whenever it is reached, or run, in another way. Secrets are references here, never values. */
export function modelServer(config: ServerConfig): Server {
  const { id, owner, title, environment, classification, tags, sharing, scopes, transport, auth } = config;
  const version = hash(
    'sha256',
    JSON.stringify(auth === undefined ? [transport, sharing] : [transport, sharing, auth]),
  ).slice(0, 16);
  return {
    id,
    version,
    sharing,
    ...(scopes.length === 0 ? {} : { scopes }),
    ...(owner === undefined ? {} : { owner }),
    ...(title === undefined ? {} : { title }),
    ...(environment === undefined ? {} : { environment }),
    ...(classification === undefined ? {} : { classification }),
    ...(tags.length === 0 ? {} : { tags }),
  };
}

/** As the catalog knows it. */
export const catalogServer = (server: ServerConfig): CatalogServer => ({
  server: modelServer(server),
  traits: server.traits,
  readOnly: server.readOnly,
});

/** What one server offers, asked on the gateway's own account. */
export async function listServer(
  server: Server,
  signal: AbortSignal,
  upstreams: Upstreams,
  logger: Logger,
): Promise<Listing> {
  const entry = serverEntryOf(server, server.version);
  const endpoint: Endpoint = { kind: 'server', server: server.id };
  const callFor = (operation: SystemOperation): Call => ({
    requestId: randomUUID(),
    intent: makeIntent(systemPermit(operation, { endpoint, entries: [entry] })),
    entry,
    client: { era: 'modern', revision: NEWEST_MODERN, capabilities: {}, address: '', info: SALLYPORT },
    meta: { vendor: {} },
  });
  const { listing, refused } = await fetchListing({
    send: upstreams.send,
    callFor,
    spokenTo: () => upstreams.status(server.id)?.spokenTo,
    limits: DEFAULT_LISTING_LIMITS,
    signal,
  });
  for (const { of, name, reason } of refused)
    logger.warn({ server: server.id, of, name, reason }, 'a definition is left out');
  return listing;
}
