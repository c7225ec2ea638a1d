/**
 * The composition root: with the files of `composition/` the only one that knows every part. Starts them in the order in
 * which they depend on one another, and stops them in the reverse.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as yieldNow } from 'node:timers/promises';

import { openAppendFile, type AuditFiles } from './audit/append-file.ts';
import { digestOf } from './audit/argument-digest.ts';
import { RESULT_DIGESTS } from './audit/result-digest.ts';
import { CatalogStore } from './catalog/catalog-store.ts';
import { definitionChanges } from './catalog/definition-changes.ts';
import { statusReport, toolSchemas, type StatusReport } from './catalog/status-report.ts';
import { createAttempts } from './authn/attempts.ts';
import { followKeyEvents } from './authn/key-event-follower.ts';
import { withAuthenticationEvents } from './authn/recorded-authenticator.ts';
import { openAudit } from './composition/audit.ts';
import { approvalLinks, composeApprovals } from './composition/approvals.ts';
import { composeAuditSinks } from './composition/audit-sinks.ts';
import { composeBrowser } from './composition/browser.ts';
import { loadCertificates } from './composition/certificates.ts';
import { composeCredentials } from './composition/credentials.ts';
import { composeEvents } from './composition/events.ts';
import { grantReport } from './composition/grant-report.ts';
import { composeAuthenticator, composeFailedAttempts } from './composition/identity.ts';
import { configurationLoaded } from './composition/loaded-configuration.ts';
import { loadArgumentParsers } from './composition/policy.ts';
import { countedLimiter, countedWords, watchParts, watchPending } from './composition/metrics.ts';
import { composeOutbound } from './composition/outbound.ts';
import { composeOversight } from './composition/oversight.ts';
import { choosePublicAddress } from './composition/public-address.ts';
import { watchServerDependencies } from './composition/server-dependencies.ts';
import { composeServerHealth } from './composition/server-health.ts';
import { composeStanding } from './composition/standing.ts';
import { composeBodies, composeRedactor, shownBodies } from './composition/redaction.ts';
import { composeReplicas } from './composition/replicas.ts';
import { composeSecrets } from './composition/secrets.ts';
import { composeSessions } from './composition/sessions.ts';
import { openStorage } from './composition/storage.ts';
import { composeTelemetry } from './composition/telemetry.ts';
import { composeSubscriptions, refreshOnChange } from './composition/subscriptions.ts';
import { createLivePolicies } from './composition/live-policies.ts';
import { catalogServer, listServer } from './composition/upstreams.ts';
import type { LoadedConfig } from './config/load.ts';
import { createEgress } from './egress/egress.ts';
import { createEntrypoint } from './entrypoint/entrypoint.ts';
import { replicaId } from './entrypoint/forwarding.ts';
import { createOperationsListener } from './entrypoint/operations.ts';
import { createConnectLinks } from './entrypoint/pages/connect-links.ts';
import { createArgumentValidator } from './guard/schema-validator.ts';
import type { JsonObject } from './model/json.ts';
import type { Redactor } from './model/redaction.ts';
import { createPipeline } from './pipeline/pipeline.ts';
import { SALLYPORT } from './protocol/identity.ts';
import { checkParamHeaders } from './protocol/param-headers.ts';
import { createLimiter } from './quota/memory-limiter.ts';
import { createSealer } from './seal/aead-sealer.ts';
import { loadKeyRing } from './seal/key-ring.ts';
import { Live } from './telemetry/live.ts';
import type { Logger } from './telemetry/logger.ts';
import { systemClock } from './upstream/clock.ts';

export type GatewayOptions = {
  readonly logger: Logger;
  /** How the audit file is opened; a test's disk can be full or slow. */
  readonly openAuditFile?: AuditFiles['open'];
};

export type Gateway = {
  /** What clients type. */
  readonly url: string;
  /** Of the operations listener, where there is one. */
  readonly operationsUrl?: string;
  status(): StatusReport;
  /** Not ready from now on, while it serves as before: load balancers stop sending before `close` stops taking. */
  announceStop(): void;
  /** Reads policies and `allow` lists again; a change of their files is noticed without it. */
  reloadPolicies(): Promise<void>;
  /**
   * Drains: calls in flight may finish within `graceMs` (default: `drain` of the configuration). Called again, it can
   * shorten the time that is left.
   */
  close(graceMs?: number): Promise<void>;
};

/** For calls that are at work. */
const CONNECTIONS_PER_ORIGIN = 256;
const LIST_PAGE_SIZE = 500;
/** A server's own state travels inside ours, and grows by a third. */
const MAX_SEALED_BYTES = 32 * 1024;

/**
 * Starts everything, or nothing: what was opened is closed again when a later part cannot start.
 *
 * @throws RedactionError, SecretsConfigError, PolicyError, CertificateError, KeyRingError, StorageConfigError, TelemetryConfigError, SigningKeyError, LockedError,
 *   UnreadableTailError or ListenError, each saying what to do.
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
  loaded: LoadedConfig,
  { logger, openAuditFile }: GatewayOptions,
  opened: AsyncDisposableStack,
): Promise<Composed> {
  const { file, config, env } = loaded;
  const startedAtMs = Date.now();
  const clockMs = (): number => performance.now();
  // A gateway that is started anew is another one: what was open in the process before is not open in it.
  const replica = replicaId(config.replicas?.self ?? '', randomUUID());
  await loadArgumentParsers(config);
  const secrets = composeSecrets({ config, env, logger });
  opened.defer(() => secrets.close());
  const telemetry = await composeTelemetry({ config, secrets, logger });
  opened.defer(() => telemetry.close());
  const { instruments, traces } = telemetry;
  const failedAttempts = composeFailedAttempts(config);
  const events = composeEvents();
  const { note } = events;
  const attempts = createAttempts(failedAttempts, logger, note);
  const certificates = await loadCertificates({ config, attempts, note, logger });
  const policies = createLivePolicies({ loaded, logger, instruments, note, now: Date.now });
  opened.defer(() => policies.close());
  const keyRing = await loadKeys(config.keys.file);
  const storage = await openStorage({ config, secrets, logger }, keyRing);
  opened.defer(() => storage.close());
  const redactor = composeRedactor(config.redaction);
  opened.defer(() => redactor.close());
  const redactText: Redactor['text'] = (text) => redactor.text(text);
  // A parked call over HTTP keeps its connection, and its answer needs another; so does a feed.
  const egress = createEgress({
    connectionsPerOrigin: config.questions.maxParked + config.subscriptions.maxFeeds + CONNECTIONS_PER_ORIGIN,
  });
  opened.defer(() => egress.close());
  const sinks = await composeAuditSinks({ config, secrets, logger, egress, instruments });
  opened.defer(() => sinks.close());
  const audit = await openAudit({
    config: config.audit,
    logger,
    instruments,
    redactText,
    open: sinks.watching(openAuditFile ?? openAppendFile),
    mayDelete: (segment) => sinks.mayDelete(segment),
  });
  opened.defer(() => audit.close());
  sinks.start(() => audit.tail()?.sequence ?? 0);
  events.attach(audit);
  opened.defer(() => events.close());
  const { version } = SALLYPORT;
  note(configurationLoaded({ config, file, version, policyVersion: policies.current.version }));
  if (storage.keyEvents !== undefined) {
    const follower = followKeyEvents({
      store: storage.keyEvents,
      record: (event) => audit.note({ event, timeMs: event.atMs ?? Date.now() }),
      durable: () => audit.durable(),
      now: Date.now,
      after: (delayMs, task) => systemClock.after(delayMs, task),
      log: logger,
    });
    opened.defer(() => follower.close());
  }
  const standing = composeStanding({ config, secrets, certificates, storage, audit, sinks, telemetry, logger });
  opened.defer(() => standing.close());
  const { approvals, pending: approvalsPending } = watchPending(
    composeApprovals({ config, store: storage.approvals, audit: countedWords(audit, instruments) }),
    Date.now,
  );
  const bodies = composeBodies({ config, redactor, store: storage.bodies, record: audit, instruments, logger });
  opened.defer(() => bodies?.close());
  const validator = createArgumentValidator();
  opened.defer(() => validator.close());
  const { listen, publicUrl } = await choosePublicAddress(config);
  const { grants, oauth, upstreams } = composeOutbound(
    {
      config,
      env,
      publicUrl,
      egress,
      storage,
      secrets,
      note,
      logger,
      instruments,
      replica,
      catalog: () => store.current,
      authorizer: () => policies.current,
      readAgain: (server) => void store.refresh(server),
      listChanged: (server) => refresh(server),
    },
    opened,
  );
  const store = new CatalogStore({
    servers: config.servers.map(catalogServer),
    aggregateReadOnly: config.endpoints.aggregate.readOnly,
    disabled: config.disabledServers.map((server) => ({ ...server, sinceMs: startedAtMs })),
    gateway: SALLYPORT,
    fetchListing: (server, signal) => listServer(server, signal, upstreams, logger),
    logger,
    clock: Date.now,
    random: Math.random,
    schedule: (delayMs, task) => systemClock.after(delayMs, task),
  });
  opened.defer(() => store.close());
  const dependencies = watchServerDependencies({
    config,
    dependencies: standing.dependencies,
    egress,
    upstreams,
    catalog: () => store.current,
    newId: randomUUID,
    random: Math.random,
  });
  opened.defer(() => dependencies.close());
  const health = composeServerHealth({ config, upstreams, store, dependencies, instruments, logger });
  opened.defer(() => health.close());
  standing.watchServers(() => health.all());
  const refresh = refreshOnChange(store, systemClock);
  const listeners = composeSubscriptions({ config, store, policies, upstreams, clock: systemClock });
  opened.defer(() => listeners.close());
  store.onSwap((current, previous) => {
    for (const change of definitionChanges(current, previous)) {
      note(change);
      if (change.alarming === true) logger.warn(change.facts, 'a server changed definitions that it had shown before');
    }
  });

  const live = new Live({ clockMs });
  const credentials = composeCredentials({
    config,
    secrets,
    sources: [upstreams.credentials, ...oauth.personSecrets, grantReport(storage.grants, Date.now)],
    ending: () => standing.report().credentials,
    catalog: () => store.current,
    now: Date.now,
  });
  const oversight = composeOversight({
    records: sinks.reader,
    auditFile: config.audit.file,
    bodies: shownBodies(storage.bodies),
    live,
    credentials,
    servers: () => health.all(),
    counts: () => ({ ...entrypoint.counts(), parkedCalls: upstreams.parkedCalls.size }),
    logger,
  });
  opened.defer(() => oversight.close());

  const sessions = await composeSessions(storage, logger);
  opened.defer(() => sessions.close());
  const sealer = createSealer(keyRing, { now: Date.now, randomBytes, maxTokenBytes: MAX_SEALED_BYTES });
  const connectLinks = createConnectLinks({ sealer, publicUrl, now: Date.now, newId: randomUUID });
  const browser = composeBrowser({ config, publicUrl, egress, secrets, note, logger });
  const bearer = composeAuthenticator({ config, publicUrl, egress, storage, failedAttempts, note, logger });
  standing.watchIssuers(bearer);
  const entrypoint = createEntrypoint({
    pipeline: createPipeline({
      // Pages are for people with a browser, who bring no certificate.
      authenticator: withAuthenticationEvents(browser.accepting(certificates.layered(bearer)), { note, now: Date.now }),
      catalog: () => store.current,
      scopes: config.identity.scopes,
      authorizer: () => policies.current,
      limiter: countedLimiter(createLimiter({ rules: config.limits, now: clockMs }), instruments),
      validator,
      checkParamHeaders,
      approvals,
      approvalLink: approvalLinks(publicUrl),
      approvalWaitMs: config.approvals.waitMs,
      grants: oauth.gate,
      connectLink: (asked) => (browser.login === undefined ? undefined : connectLinks.link(asked)),
      connectWaitMs: config.approvals.waitMs,
      audit: events.bounding(audit),
      traces,
      bodies,
      send: upstreams.send,
      listeners,
      oversight,
      revocation: grants.revoke,
      live,
      yieldNow: () => yieldNow(),
      pageSize: LIST_PAGE_SIZE,
      instruments,
      logger,
      logCalls: config.log.calls,
      ...(config.audit.resultDigests ? { resultDigests: RESULT_DIGESTS } : {}),
      clockMs,
    }),
    sealer,
    sessions,
    replica,
    otherReplicas: composeReplicas(config, egress),
    dropParkedCall: (id) => upstreams.parkedCalls.drop(id),
    publicUrl,
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    login: browser.login,
    consents: oauth.consents,
    connectLinks,
    clientDocument: oauth.clientDocument,
    authorizationServers: config.identity.issuers.map(({ issuer }) => issuer),
    requiredScopes: config.identity.scopes.required,
    audience: config.identity.audience,
    legacySse: config.endpoints.legacySse,
    ...(certificates.tls === undefined ? {} : { tls: certificates.tls }),
    limits: {
      ...config.requests,
      stateLifetimeMs: Math.max(config.approvals.lifetimeMs, config.questions.answerMs),
      taskLifetimeMs: config.tasks.lifetimeMs,
      answerTimeoutMs: config.approvals.answerMs,
      maxSubscribedResources: config.subscriptions.maxResources,
    },
    resumption: config.resumption,
    logger,
    instruments,
    note,
    now: Date.now,
    clockMs,
    newId: randomUUID,
    randomBytes,
    digestArguments: digestOf,
  });
  watchParts({ config, instruments, upstreams, store, entrypoint, listeners, approvalsPending });
  await entrypoint.listen(listen);
  opened.defer(() => entrypoint.close(0));
  certificates.watch((material) => entrypoint.replaceTls(material));
  opened.defer(() => certificates.close());

  const status = (): StatusReport & JsonObject =>
    statusReport(store.current, {
      standing: (server) => health.of(server),
      version: SALLYPORT.version,
      url: publicUrl,
      startedAtMs,
      uptimeMs: Date.now() - startedAtMs,
      policyVersion: policies.current.version,
      policies: policies.report(),
      audit: { ...audit.status(), sequence: audit.tail()?.sequence ?? 0 },
      sinks: sinks.status(),
      configFile: file,
      ...standing.report(),
    });
  let ready = false;
  let stopping = false;
  const notReady = (): string | undefined => {
    if (stopping || entrypoint.draining) return 'draining';
    const recorded = audit.status();
    if (recorded.state === 'failing') return `the audit file cannot be written: ${recorded.reason ?? 'unknown'}`;
    return ready ? undefined : 'starting: not every server has been tried yet';
  };
  const operations = createOperationsListener({
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: await instruments.bytes() }),
    notReady,
    status,
    live: () => oversight.live(undefined),
    credentials: () => credentials(undefined),
    schemas: () => toolSchemas(store.current),
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
    announceStop: () => {
      stopping = true;
    },
    reloadPolicies: () => policies.reload(),
    drain: (graceMs) => entrypoint.close(graceMs),
  };
}

async function loadKeys(file: string): ReturnType<typeof loadKeyRing> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  return loadKeyRing({ file, randomBytes });
}
