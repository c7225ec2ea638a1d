/** From what the schema accepted to what the program uses: absolute paths, defaults that depend on each other. */

import path from 'node:path';

import { parsePlace, type DeclaredArgument } from '../model/argument-kind.ts';
import type { OnFailure } from '../model/target.ts';
import type { AllowRule, DisabledServer, ServerConfig, TraitRule } from './server-config.ts';
import type {
  AuditFileConfig,
  Config,
  LimitConfig,
  PolicySource,
  ReplicasConfig,
  StorageConfig,
  TasksConfig,
  TelemetryConfig,
  TlsConfig,
} from './config.ts';
import { compileAuth } from './auth-schema.ts';
import type { ValueConfig } from './secrets-config.ts';
import { compileCredentials } from './credentials-schema.ts';
import { compileIdentity } from './compile-identity.ts';
import { compileDependency } from './depends-on-schema.ts';
import { compileProcess } from './process-schema.ts';
import { compileBodies, compileRedaction } from './redaction-schema.ts';
import { compileSecrets } from './secrets-schema.ts';
import { compileIndex, compileSinks } from './compile-sinks.ts';
import type { ParsedFile } from './schema.ts';
import type { ParsedServer } from './server-schema.ts';
import { urlHost } from './units.ts';

export type CompileParts = {
  readonly file: ParsedFile;
  readonly servers: ReadonlyMap<string, ParsedServer>;
  readonly disabledServers: readonly DisabledServer[];
  readonly policies: readonly PolicySource[];
  /** The folder of the configuration file, absolute. */
  readonly directory: string;
};

export function compileConfig({ file, servers, disabledServers, policies, directory }: CompileParts): Config {
  const absolute = (relative: string): string => path.resolve(directory, relative);
  return {
    listen: file.listen,
    publicUrl: (file.publicUrl ?? `${file.tls === undefined ? 'http' : 'https'}://${urlHost(file.listen)}`).replace(
      /\/+$/,
      '',
    ),
    ...(file.tls === undefined ? {} : { tls: compileTls(file.tls, absolute) }),
    operations: file.operations === 'off' ? undefined : file.operations,
    keys: { file: absolute(file.keys.file) },
    storage: locateStorage(file.storage.url, directory),
    replicas: compileReplicas(file.replicas),
    secrets: compileSecrets(file.secrets, absolute, (value) => locate(value, directory)),
    credentials: compileCredentials(file.credentials, absolute),
    identity: compileIdentity(file.identity, absolute, (value) => locate(value, directory)),
    servers: [...servers].map(([id, server]) => compileServer(id, server, directory)),
    disabledServers,
    endpoints: file.endpoints,
    policies,
    limits: [...file.limits.map(compileLimit), ...loopBreaker(file.loopBreaker)],
    approvals: {
      lifetimeMs: file.approvals.lifetime,
      waitMs: file.approvals.wait,
      answerMs: file.approvals.answer,
      maxPending: file.approvals.maxPending,
    },
    audit: {
      ...compileAudit(file, absolute),
      index: compileIndex(file.audit.index),
      sinks: compileSinks(file.audit.sinks, (value) => locate(value, directory)),
    },
    resumption: {
      keepMs: file.resumption.keep,
      awayMs: file.resumption.away,
      retryMs: file.resumption.retry,
      maxBytesPerStream: file.resumption.maxStreamBytes,
      maxBytesPerPrincipal: file.resumption.maxPrincipalBytes,
      maxBytes: file.resumption.maxBytes,
      maxStreams: file.resumption.maxStreams,
    },
    subscriptions: file.subscriptions,
    questions: {
      answerMs: file.questions.answer,
      maxParked: file.questions.maxParked,
      maxParkedPerPrincipal: file.questions.maxParkedPerPrincipal,
      maxRounds: file.questions.maxRounds,
    },
    tasks: compileTasks(file.tasks),
    telemetry: compileTelemetry(file.telemetry, directory),
    redaction: compileRedaction(file.redaction),
    requests: {
      maxBodyBytes: file.requests.maxBody,
      maxHeaderBytes: file.requests.maxHeaders,
      maxDepth: file.requests.maxDepth,
      maxStreams: file.requests.maxStreams,
      maxStreamsPerPrincipal: file.requests.maxStreamsPerPrincipal,
      maxConcurrent: file.requests.maxConcurrent,
      bodyTimeoutMs: file.requests.bodyTimeout,
      timeoutMs: file.requests.timeout,
      maxBufferedResultBytes: file.requests.maxBufferedResult,
    },
    allowedHosts: file.allowedHosts,
    allowedOrigins: file.allowedOrigins,
    log: file.log,
    drainDelayMs: file.drainDelay,
    drainMs: file.drain,
    directory,
  };
}

function compileReplicas(replicas: ParsedFile['replicas']): ReplicasConfig | undefined {
  if (replicas === undefined) return undefined;
  const peers = Object.entries(replicas.peers).map(([name, url]) => [name, new URL(url).origin] as const);
  return { self: replicas.self, peers: Object.fromEntries(peers) };
}

function compileTasks({
  minPoll,
  maxPoll,
  keep,
  maxKept,
  maxKeptPerPrincipal,
  lifetime,
  ...waits
}: ParsedFile['tasks']) {
  return {
    ...waits,
    minPollMs: minPoll,
    maxPollMs: maxPoll,
    keepMs: keep,
    maxHeld: maxKept,
    maxHeldPerPrincipal: maxKeptPerPrincipal,
    lifetimeMs: lifetime,
  } satisfies TasksConfig;
}

function compileTls(tls: NonNullable<ParsedFile['tls']>, absolute: (file: string) => string): TlsConfig {
  return {
    certificateFile: absolute(tls.certificate),
    keyFile: absolute(tls.key),
    clientCertificates: tls.clientCertificates,
  };
}

function compileAudit({ audit, keys }: ParsedFile, absolute: (file: string) => string): AuditFileConfig {
  const { rotate, keep, spool, checkpoints } = audit;
  const orNever = (written: number | 'off'): number => (written === 'off' ? Infinity : written);
  return {
    file: absolute(audit.file),
    rotate: rotate === 'off' ? undefined : { maxBytes: orNever(rotate.size), maxAgeMs: orNever(rotate.every) },
    keepMs: keep === 'off' ? undefined : keep,
    spoolFile: spool === undefined ? undefined : absolute(spool),
    checkpoints:
      checkpoints === 'off'
        ? undefined
        : {
            everyRecords: checkpoints.records,
            everyMs: checkpoints.every,
            keyFile: absolute(checkpoints.key ?? path.join(path.dirname(keys.file), SIGNING_KEY)),
          },
    ...(audit.bodies === undefined ? {} : { bodies: compileBodies(audit.bodies) }),
    resultDigests: audit.resultDigests,
  };
}

const SIGNING_KEY = 'audit-signing-key.pem';

/** Also for what a reference leads to: its relative paths are relative to the configuration as well. */
export function locateStorage(storage: StorageConfig, directory: string): StorageConfig {
  if (storage.kind === 'sqlite') return { kind: 'sqlite', file: path.resolve(directory, storage.file) };
  if (storage.kind !== 'reference' || storage.source.kind !== 'file') return storage;
  return { kind: 'reference', source: { ...storage.source, path: path.resolve(directory, storage.source.path) } };
}

function compileServer(id: string, server: ParsedServer, directory: string): ServerConfig {
  const auth = server.auth === undefined ? undefined : compileAuth(server.auth, (value) => locate(value, directory));
  return {
    id,
    transport: compileTransport(server, directory),
    ...(auth === undefined ? {} : { auth }),
    ...(server.owner === undefined ? {} : { owner: server.owner }),
    ...(server.title === undefined ? {} : { title: server.title }),
    ...(server.environment === undefined ? {} : { environment: server.environment }),
    ...(server.classification === undefined ? {} : { classification: server.classification }),
    tags: server.tags,
    sharing: server.sharing,
    pool: compilePool(server.pool),
    connectTimeoutMs: server.timeouts.connect,
    timeouts: {
      totalMs: server.timeout,
      maxMs: Math.max(server.timeout, server.timeouts.max),
      ...(server.timeouts.firstByte === undefined ? {} : { firstByteMs: server.timeouts.firstByte }),
    },
    retries: server.retries,
    breaker: compileBreaker(server.breaker),
    maxInFlight: server.maxInFlight,
    dependsOn: server.dependsOn.map(compileDependency),
    scopes: server.scopes,
    traits: TRAIT_KINDS.flatMap((of) => Object.entries(server[of]).map((rule) => compileTraits(of, rule))),
    allow: server.allow.map(compileAllow),
    readOnly: server.readOnly,
  };
}

function compileTelemetry(
  { otlp, traces, metrics }: ParsedFile['telemetry'],
  directory: string,
): TelemetryConfig | undefined {
  if (otlp === undefined) return undefined;
  return {
    endpoint: otlp.endpoint,
    headers: locateAll(otlp.headers, directory),
    timeoutMs: otlp.timeout,
    resource: otlp.resource,
    ...(traces.sample === 'off' ? {} : { traces: { ...traces, sample: traces.sample } }),
    ...(metrics.every === 'off' ? {} : { metrics: { everyMs: metrics.every } }),
  };
}

function compileTransport(server: ParsedServer, directory: string): ServerConfig['transport'] {
  if (server.url !== undefined) {
    const reached = { kind: 'http', url: server.url, headers: locateAll(server.headers, directory) } as const;
    const { transport } = server;
    if (transport === 'auto' || transport === 'stdio') return reached;
    return { ...reached, only: transport === 'sse' ? 'sse' : 'streamable-http' };
  }
  const [command = '', ...args] = [server.command ?? []].flat();
  return {
    kind: 'stdio',
    command: command.startsWith('.') ? path.resolve(directory, command) : command,
    args: [...args, ...server.args],
    cwd: path.resolve(directory, server.cwd ?? '.'),
    process: compileProcess(server.process, server.sandbox, directory),
    env: locateAll(server.env, directory),
  };
}

const locate = <V extends ValueConfig>(value: V, directory: string): V =>
  value.kind === 'file' ? { ...value, path: path.resolve(directory, value.path) } : value;

const locateAll = (
  values: Readonly<Record<string, ValueConfig>>,
  directory: string,
): Readonly<Record<string, ValueConfig>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, locate(value, directory)]));

function compilePool({ max, idle, wait, spares }: ParsedServer['pool']): ServerConfig['pool'] {
  const wanted = typeof spares === 'number' ? { min: spares, max: spares } : spares;
  return { max, idleMs: idle, waitMs: wait, spares: { min: Math.min(wanted.min, wanted.max), max: wanted.max } };
}

function compileBreaker(breaker: ParsedServer['breaker']): ServerConfig['breaker'] {
  if (breaker === 'off') return undefined;
  const { window, failures, open, maxOpen } = breaker;
  return { window, failures, openMs: open, maxOpenMs: Math.max(open, maxOpen) };
}

const TRAIT_KINDS = ['tools', 'prompts', 'resources'] as const;

function compileTraits(
  of: TraitRule['of'],
  [pattern, traits]: [string, Partial<ParsedServer['tools'][string]>],
): TraitRule {
  const { readOnly, risk, idempotent, tags, classification, timeout, scopes, hidden, pins, minutesSaved, noStale } =
    traits;
  const declared = Object.entries(traits.arguments ?? {}).flatMap(([place, kind]): DeclaredArgument[] => {
    const steps = parsePlace(place);
    return steps.ok ? [{ place, steps: steps.value, kind }] : [];
  });
  return {
    of,
    pattern,
    traits: {
      ...(readOnly === undefined ? {} : { readOnly }),
      ...(risk === undefined ? {} : { risk }),
      ...(idempotent === undefined ? {} : { idempotent }),
      ...(tags === undefined ? {} : { tags }),
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      ...(scopes === undefined ? {} : { scopes }),
      ...(minutesSaved === undefined ? {} : { minutesSaved }),
      ...(noStale === undefined ? {} : { noStale }),
      ...(traits.onFailure === undefined ? {} : { onFailure: compileOnFailure(traits.onFailure) }),
      ...(classification === undefined ? {} : { classification }),
    },
    ...(hidden === undefined ? {} : { hidden }),
    ...(pins === undefined ? {} : { pins }),
    ...(declared.length === 0 ? {} : { declared }),
  };
}

function compileOnFailure(written: NonNullable<ParsedServer['tools'][string]['onFailure']>): OnFailure {
  if (written === 'error') return { kind: 'error' };
  if ('advice' in written) return { kind: 'error', advice: written.advice };
  return 'cached' in written
    ? { kind: 'cached', maxAgeMs: written.cached }
    : { kind: 'server', server: written.server };
}

function compileAllow({ group, user, anyone: _anyone, ...what }: ParsedServer['allow'][number]): AllowRule {
  if (group !== undefined) return { who: { kind: 'group', name: group }, ...what };
  if (user !== undefined) return { who: { kind: 'user', name: user }, ...what };
  return { who: { kind: 'anyone' }, ...what };
}

function compileLimit({ per, server, tool, risk, rate, concurrent, burst }: ParsedFile['limits'][number]): LimitConfig {
  const calls = [server, tool].filter((part) => part !== undefined).join('/');
  const on = [calls, ...(risk === undefined ? [] : [`tools of ${risk} risk`])].filter((part) => part !== '');
  const of = `per ${per}${on.length === 0 ? '' : ` on ${on.join(', ')}`}`;
  const scope = {
    per,
    ...(server === undefined ? {} : { server }),
    ...(tool === undefined ? {} : { tool }),
    ...(risk === undefined ? {} : { risk }),
  };
  // The schema wants exactly one of them.
  if (rate === undefined) return { ...scope, concurrent: concurrent ?? 1, text: `${concurrent ?? 1} at a time ${of}` };
  const { count, periodMs, text } = rate;
  return { ...scope, count, periodMs, burst: burst ?? count, text: `${text} ${of}` };
}

/** On unless the operator says otherwise: an agent that goes in circles does not notice. */
function loopBreaker(rate: ParsedFile['loopBreaker']): readonly LimitConfig[] {
  if (rate === 'off') return [];
  const { count, periodMs, text } = rate;
  return [{ per: 'call', count, periodMs, burst: count, text: `${text} for one call with the same arguments` }];
}
