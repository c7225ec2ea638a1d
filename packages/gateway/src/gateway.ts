/**
 * The composition root: the only file that knows every part. Starts them in the order in which they depend on one
 * another, and stops them in the reverse.
 */

import { hash, randomBytes, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setImmediate as yieldNow } from 'node:timers/promises';

import { makeIntent } from './audit/intent.ts';
import { createFileAuditLog } from './audit/file-audit-log.ts';
import type { Authenticator } from './authn/authenticator.ts';
import { createAuthenticator } from './authn/bearer-authenticator.ts';
import { createAuthorizer, type CedarAuthorizer } from './authz/cedar-authorizer.ts';
import { systemPermit, type SystemOperation } from './authz/permit.ts';
import { describeProblem, type PolicyProblem } from './authz/policy-problem.ts';
import { CatalogStore } from './catalog/catalog-store.ts';
import { serverEntryOf } from './catalog/offering.ts';
import { statusReport, type StatusReport } from './catalog/status-report.ts';
import type { Config, ListenAddress, ServerConfig } from './config/config.ts';
import type { Environment, LoadedConfig } from './config/load.ts';
import { createSecretResolver } from './credential/secret-resolver.ts';
import { createStaticBroker, type CredentialSources } from './credential/static-broker.ts';
import { createEgress, type Egress } from './egress/egress.ts';
import { createEntrypoint } from './entrypoint/entrypoint.ts';
import { createMemoryLegacySessions } from './entrypoint/legacy-sessions.ts';
import { createOperationsListener } from './entrypoint/operations.ts';
import { createArgumentValidator } from './guard/schema-validator.ts';
import type { Call } from './model/call.ts';
import type { JsonObject } from './model/json.ts';
import type { Listing } from './model/outcome.ts';
import type { Result } from './model/result.ts';
import { NEWEST_MODERN } from './model/revision.ts';
import type { Endpoint, Server } from './model/target.ts';
import { createPipeline } from './pipeline/pipeline.ts';
import { clientCodecFor, legacyHandshake } from './protocol/codecs.ts';
import { SALLYPORT } from './protocol/identity.ts';
import { checkParamHeaders } from './protocol/param-headers.ts';
import { createAddressLimiter } from './quota/address-limiter.ts';
import { createLimiter } from './quota/memory-limiter.ts';
import { createSealer } from './seal/aead-sealer.ts';
import { loadKeyRing } from './seal/key-ring.ts';
import type { Instruments } from './telemetry/instruments.ts';
import type { Logger } from './telemetry/logger.ts';
import { createInstruments } from './telemetry/otel-instruments.ts';
import { systemClock } from './upstream/clock.ts';
import type { Connector } from './upstream/connector.ts';
import { createHttpConnector, DEFAULT_HTTP_LIMITS } from './upstream/http/http-connector.ts';
import { DEFAULT_LISTING_LIMITS, fetchListing } from './upstream/listing.ts';
import { DEFAULT_POOL_LIMITS } from './upstream/pool-shelf.ts';
import { createStdioConnector, DEFAULT_STDIO_LIMITS } from './upstream/stdio/stdio-connector.ts';
import { createUpstreams, type Route, type Upstreams } from './upstream/upstreams.ts';

export type GatewayOptions = { readonly logger: Logger };

export type Gateway = {
  /** What clients type. */
  readonly url: string;
  /** Of the operations listener, where there is one. */
  readonly operationsUrl?: string;
  status(): StatusReport;
  /**
   * Drains: calls in flight may finish within `graceMs` (default: `drain` of the configuration). Called again, it can
   * shorten the time that is left.
   */
  close(graceMs?: number): Promise<void>;
};

/** The policies cannot be used; nothing was started. */
export class PolicyError extends Error {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(`The policies cannot be used:\n${problems.map(describeProblem).join('\n')}`);
    this.name = 'PolicyError';
    this.problems = problems;
  }
}

const LIST_PAGE_SIZE = 500;
const FAILED_ATTEMPTS = { count: 60, periodMs: 60_000, burst: 30, text: '60/minute failed attempts per address' };
const MAX_IN_FLIGHT_PER_SERVER = 1000;

/**
 * Starts everything, or nothing: what was opened is closed again when a later part cannot start.
 *
 * @throws PolicyError, KeyRingError, LockedError, UnreadableTailError or ListenError, each saying what to do.
 */
export async function startGateway(loaded: LoadedConfig, options: GatewayOptions): Promise<Gateway> {
  await using opened = new AsyncDisposableStack();
  const gateway = await composeGateway(loaded, options, opened);
  const parts = opened.move();
  let closing: Promise<void> | undefined;
  return {
    ...gateway,
    close(graceMs = loaded.config.drainMs) {
      const drained = gateway.drain(graceMs);
      closing ??= drained.then(() => parts.disposeAsync());
      return closing;
    },
  };
}

type Composed = Omit<Gateway, 'close'> & { drain(graceMs: number): Promise<void> };

async function composeGateway(
  { file, config, env }: LoadedConfig,
  { logger }: GatewayOptions,
  opened: AsyncDisposableStack,
): Promise<Composed> {
  const startedAtMs = Date.now();
  const clockMs = (): number => performance.now();
  const authorizer = unwrapPolicies(authorizerOf(config));
  const instruments = createInstruments({ version: SALLYPORT.version });
  opened.defer(() => instruments.close());
  const keyRing = await loadKeys(config.keys.file);
  const auditOptions = { path: config.audit.file, logger, instruments, now: Date.now, version: SALLYPORT.version };
  const audit = await createFileAuditLog(auditOptions);
  opened.defer(() => audit.close());
  const egress = createEgress();
  opened.defer(() => egress.close());

  const validator = createArgumentValidator();
  opened.defer(() => validator.close());
  const upstreams = composeUpstreams({ config, env, egress, logger, instruments });
  opened.defer(() => upstreams.close());
  const store = new CatalogStore({
    servers: config.servers.map((server) => ({ server: modelServer(server), traits: server.tools })),
    disabled: config.disabledServers.map((server) => ({ ...server, sinceMs: startedAtMs })),
    gateway: SALLYPORT,
    fetchListing: (server, signal) => listServer(server, signal, upstreams, logger),
    logger,
    clock: Date.now,
    random: Math.random,
    schedule: (delayMs, task) => systemClock.after(delayMs, task),
  });
  opened.defer(() => store.close());
  store.onSwap((current) => {
    for (const { server, state } of current.servers) instruments.upstreamState(server.id, state);
  });

  const listen = await withFreePort(config.listen);
  const publicUrl = listen.port === config.listen.port ? config.publicUrl : `http://${listen.host}:${listen.port}`;
  const entrypoint = createEntrypoint({
    pipeline: createPipeline({
      authenticator: composeAuthenticator(config, publicUrl, egress, logger),
      catalog: () => store.current,
      authorizer: () => authorizer,
      limiter: createLimiter({ rules: config.limits, now: clockMs }),
      validator,
      checkParamHeaders,
      audit,
      send: upstreams.send,
      pageSize: LIST_PAGE_SIZE,
      instruments,
      logger,
      logCalls: config.log.calls,
      clockMs,
    }),
    sealer: createSealer(keyRing, { now: Date.now, randomBytes }),
    sessions: createMemoryLegacySessions({ now: Date.now }),
    publicUrl,
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    authorizationServers: config.identity.issuers.map(({ issuer }) => issuer),
    limits: config.requests,
    logger,
    instruments,
    now: Date.now,
    clockMs,
    newId: randomUUID,
    randomBytes,
  });
  await entrypoint.listen(listen);
  opened.defer(() => entrypoint.close(0));

  const status = (): StatusReport & JsonObject =>
    statusReport(store.current, {
      version: SALLYPORT.version,
      url: publicUrl,
      startedAtMs,
      uptimeMs: Date.now() - startedAtMs,
      policyVersion: authorizer.version,
      configFile: file,
    });
  let ready = false;
  const notReady = (): string | undefined => {
    if (entrypoint.draining) return 'draining';
    const recorded = audit.status();
    if (recorded.state === 'failing') return `the audit file cannot be written: ${recorded.reason ?? 'unknown'}`;
    return ready ? undefined : 'starting: not every server has been tried yet';
  };
  const operations = createOperationsListener({
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: await instruments.text() }),
    notReady,
    status,
    allowedHosts: config.allowedHosts,
    logger,
  });
  opened.defer(() => operations.close());
  const operationsAt = config.operations === undefined ? undefined : await operations.listen(config.operations);

  await store.started;
  ready = true;
  return {
    url: publicUrl,
    ...(operationsAt === undefined ? {} : { operationsUrl: `http://${operationsAt.host}:${operationsAt.port}` }),
    status,
    drain: (graceMs) => entrypoint.close(graceMs),
  };
}

/** The authorizer that the configuration asks for; the command line asks it too. */
export function authorizerOf(config: Config): Result<CedarAuthorizer, readonly PolicyProblem[]> {
  return createAuthorizer({
    policies: config.policies.map(({ name, text }) => ({ file: name, text })),
    shorthand: config.servers.map(({ id, allow }) => ({ server: id, rules: allow })),
    clock: Date.now,
    monotonic: () => performance.now(),
    yieldNow: () => yieldNow(),
    digest: (text) => hash('sha256', text),
  });
}

function unwrapPolicies(made: Result<CedarAuthorizer, readonly PolicyProblem[]>): CedarAuthorizer {
  if (!made.ok) throw new PolicyError(made.error);
  return made.value;
}

async function loadKeys(file: string): ReturnType<typeof loadKeyRing> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  return loadKeyRing({ file, randomBytes });
}

/** Port 0 is chosen here and not by the listener, because the public URL is part of everything that is sealed and issued. */
async function withFreePort(address: ListenAddress): Promise<ListenAddress> {
  if (address.port !== 0) return address;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, address.host, resolve);
  });
  const bound = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (bound === null || typeof bound === 'string') throw new Error(`${address.host} gave no port`);
  return { host: address.host, port: bound.port };
}

function composeAuthenticator(config: Config, publicUrl: string, egress: Egress, logger: Logger): Authenticator {
  const { apiKeys, issuers } = config.identity;
  const named = issuers.flatMap(({ issuer, jwksUri }) => [issuer, ...(jwksUri === undefined ? [] : [jwksUri])]);
  const trusted = new Set(named.map((url) => new URL(url).origin));
  const endpointUrl = (endpoint: Endpoint): string =>
    endpoint.kind === 'aggregate' ? `${publicUrl}/mcp` : `${publicUrl}/servers/${endpoint.server}/mcp`;
  return createAuthenticator({
    apiKeys,
    issuers,
    audiences: (endpoint) => [endpointUrl(endpoint), publicUrl],
    fetchJson: async (url, signal) => {
      // An issuer that the operator named may be inside; where its metadata leads to must be outside.
      const policy = trusted.has(new URL(url).origin) ? 'configured' : 'discovered';
      const { body } = await egress.fetchJson(url, { policy, maxBytes: 256 * 1024, timeoutMs: 900, signal });
      return body;
    },
    failedAttempts: createAddressLimiter({ ...FAILED_ATTEMPTS, now: () => performance.now() }),
    now: Date.now,
    log: logger,
  });
}

type UpstreamParts = {
  readonly config: Config;
  readonly env: Environment;
  readonly egress: Egress;
  readonly logger: Logger;
  readonly instruments: Instruments;
};

function composeUpstreams(parts: UpstreamParts): Upstreams {
  const { config, env, logger, instruments } = parts;
  const routes = new Map(config.servers.map((server) => [server.id, routeTo(server, parts)]));
  const clockMs = (): number => systemClock.nowMs();
  const resolver = createSecretResolver({ env, logger, clockMs });
  const servers = Object.fromEntries(config.servers.map((server) => [server.id, credentialSources(server)]));
  return createUpstreams({
    routeTo: (server) => routes.get(server),
    broker: createStaticBroker({ servers, resolver, clockMs }),
    instruments,
    clock: systemClock,
  });
}

function routeTo(server: ServerConfig, parts: UpstreamParts): Route {
  return {
    connector: connectorTo(server, parts),
    limits: DEFAULT_POOL_LIMITS,
    timeoutMs: server.timeoutMs,
    maxInFlight: MAX_IN_FLIGHT_PER_SERVER,
  };
}

function connectorTo(server: ServerConfig, { config, env, egress, logger, instruments }: UpstreamParts): Connector {
  const { transport } = server;
  const common = { codecs: { clientCodecFor, legacyHandshake }, clock: systemClock, logger };
  const { maxBufferedResultBytes } = config.requests;
  if (transport.kind === 'http') {
    const limits = { ...DEFAULT_HTTP_LIMITS, maxBufferedBytes: maxBufferedResultBytes };
    return createHttpConnector({ ...common, url: new URL(transport.url), egress, limits });
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
    instruments,
  });
}

function credentialSources({ transport }: ServerConfig): CredentialSources {
  return transport.kind === 'http' ? { headers: transport.headers, env: {} } : { headers: {}, env: transport.env };
}

/** Its version changes whenever it is reached, or run, in another way. Secrets are references here, never values. */
function modelServer({ id, owner, title, sharing, transport }: ServerConfig): Server {
  const version = hash('sha256', JSON.stringify([transport, sharing])).slice(0, 16);
  return {
    id,
    version,
    sharing,
    ...(owner === undefined ? {} : { owner }),
    ...(title === undefined ? {} : { title }),
  };
}

/** What one server offers, asked on the gateway's own account. */
async function listServer(server: Server, signal: AbortSignal, upstreams: Upstreams, logger: Logger): Promise<Listing> {
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
