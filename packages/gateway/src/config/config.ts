/**
 * The configuration as the program sees it: plain values, absolute paths, milliseconds and bytes. `schema.ts` says how an
 * operator writes it; `docs/configuration.md` explains it.
 */

import type { Risk } from '../model/target.ts';
import type { CredentialsConfig } from './credentials-schema.ts';
import type { BodiesConfig, KeepConfig, RedactionConfig } from './recorded-config.ts';
import type { ReferenceConfig, SecretsConfig, ValueConfig } from './secrets-config.ts';
import type { DisabledServer, ServerConfig } from './server-config.ts';

export type Config = {
  readonly listen: ListenAddress;
  /** What clients type: scheme, host and port, no trailing slash. Token audiences are made from it. */
  readonly publicUrl: string;
  /** The main listener speaks TLS when this is there. */
  readonly tls?: TlsConfig;
  /** Metrics, health and status. Undefined when switched off. */
  readonly operations: ListenAddress | undefined;
  /** The key ring for everything sealed. */
  readonly keys: { readonly file: string };
  readonly storage: StorageConfig;
  /** Undefined for a gateway that knows no others. */
  readonly replicas: ReplicasConfig | undefined;
  readonly secrets: SecretsConfig;
  readonly credentials: CredentialsConfig;
  readonly identity: IdentityConfig;
  /** In the order of the file: of two names that collide the earlier wins. */
  readonly servers: readonly ServerConfig[];
  /** Entries of `servers` that cannot be used. They are shown, never started. */
  readonly disabledServers: readonly DisabledServer[];
  readonly endpoints: { readonly aggregate: { readonly readOnly: boolean }; readonly legacySse: boolean };
  readonly policies: readonly PolicySource[];
  readonly limits: readonly LimitConfig[];
  readonly approvals: ApprovalsConfig;
  readonly questions: QuestionsConfig;
  readonly resumption: ResumptionConfig;
  readonly subscriptions: SubscriptionsConfig;
  readonly tasks: TasksConfig;
  readonly audit: AuditConfig;
  /** Undefined when nothing is sent to a collector. */
  readonly telemetry: TelemetryConfig | undefined;
  readonly redaction: RedactionConfig;
  readonly requests: RequestLimits;
  /** Host header values that are accepted, beside those of `listen` and `publicUrl`. */
  readonly allowedHosts: readonly string[];
  /** Web origins that may call, beside `publicUrl`. */
  readonly allowedOrigins: readonly string[];
  readonly log: {
    readonly level: LogThreshold;
    readonly format: LogFormat;
    /** A line for every call, not only for refusals and failures. */
    readonly calls: boolean;
  };
  /** How long it goes on as before after SIGTERM, only no longer ready, so that load balancers notice. */
  readonly drainDelayMs: number;
  /** How long open calls may go on after a shutdown was asked for. */
  readonly drainMs: number;
  /** The folder of the configuration file: what relative paths are relative to. */
  readonly directory: string;
};

/** The gateways behind one address: their names, and their origins by name. */
export type ReplicasConfig = { readonly self: string; readonly peers: Readonly<Record<string, string>> };

/** Where API keys and approvals are kept. A reference leads to a URL of one of the other kinds. */
export type StorageConfig =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'memory' }
  | { readonly kind: 'reference'; readonly source: ReferenceConfig };

export type AuditConfig = AuditFileConfig & {
  /** The record in the database of `storage`, where that is one of these. */
  readonly index: { readonly on: 'any' | 'postgres'; readonly keepMs: KeepConfig } | undefined;
  readonly sinks: readonly SinkConfig[];
};

export type AuditFileConfig = {
  readonly file: string;
  /** `Infinity` for never. Undefined: one file, for good. */
  readonly rotate: { readonly maxBytes: number; readonly maxAgeMs: number } | undefined;
  /** Undefined: nothing is deleted. */
  readonly keepMs: number | undefined;
  /** On another disk, for what waits while the file refuses. */
  readonly spoolFile: string | undefined;
  readonly checkpoints:
    | { readonly everyRecords: number; readonly everyMs: number; readonly keyFile: string }
    | undefined;
  /** A digest of every result stands in its record. */
  readonly resultDigests: boolean;
  /** Undefined: none are kept. */
  readonly bodies?: BodiesConfig;
};

/** Where else every record is sent. */
export type SinkConfig = {
  /** Unique. */
  readonly name: string;
  /** An http(s) URL, or where it is found at run time. */
  readonly url: ValueConfig;
  readonly headers: Readonly<Record<string, ValueConfig>>;
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  readonly format: 'otlp' | 'ndjson' | 'json-array' | 'splunk-hec';
};

export type ApprovalsConfig = {
  readonly lifetimeMs: number;
  /** How long a call that is made again waits for somebody's word. */
  readonly waitMs: number;
  /** For a legacy client's person to answer one question. */
  readonly answerMs: number;
  /** Of one caller, at once. */
  readonly maxPending: number;
};

/** Where traces and metrics are sent. */
export type TelemetryConfig = {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, ValueConfig>>;
  readonly timeoutMs: number;
  readonly resource: Readonly<Record<string, string>>;
  readonly traces?: { readonly sample: number; readonly trustParent: boolean; readonly parentPerSecond: number };
  readonly metrics?: { readonly everyMs: number };
};

/** What is kept for legacy clients that lose their connection. */
export type ResumptionConfig = {
  readonly keepMs: number;
  readonly awayMs: number;
  readonly retryMs: number;
  readonly maxBytesPerStream: number;
  readonly maxBytesPerPrincipal: number;
  readonly maxBytes: number;
  readonly maxStreams: number;
};

/** What clients are told between calls. */
export type SubscriptionsConfig = {
  /** Of one subscription. */
  readonly maxResources: number;
  /** Of all of them. */
  readonly maxWatched: number;
  readonly maxFeeds: number;
};

/** Calls of servers before 2026-07-28 that wait for a person. */
export type QuestionsConfig = {
  readonly answerMs: number;
  readonly maxParked: number;
  readonly maxParkedPerPrincipal: number;
  readonly maxRounds: number;
};

export type TasksConfig = {
  readonly minPollMs: number;
  readonly maxPollMs: number;
  readonly maxWaiting: number;
  readonly maxWaitingPerPrincipal: number;
  readonly keepMs: number;
  readonly maxHeld: number;
  readonly maxHeldPerPrincipal: number;
  readonly lifetimeMs: number;
};

export type ListenAddress = { readonly host: string; readonly port: number };

export type LogThreshold = 'debug' | 'info' | 'warn' | 'error';

/** `auto`: readable lines on a terminal, JSON elsewhere. */
export type LogFormat = 'auto' | 'pretty' | 'json';

export type TlsConfig = {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** `required`: every request must prove a workload. */
  readonly clientCertificates: 'off' | 'optional' | 'required';
};

export type IdentityConfig = {
  readonly apiKeys: readonly ApiKeyConfig[];
  readonly issuers: readonly IssuerConfig[];
  /** What a token must be issued for: the URL of the endpoint that is called, or `publicUrl` for all of them too. */
  readonly audience: 'endpoint' | 'gateway';
  readonly scopes: ScopesConfig;
  readonly workloads: WorkloadsConfig;
  /** Per address. */
  readonly failedAttempts: { readonly count: number; readonly periodMs: number; readonly text: string };
};

export type ScopesConfig = {
  /** What every token needs, whatever it is used for. */
  readonly required: readonly string[];
  /** A scope, and those that it includes. */
  readonly implies: Readonly<Record<string, readonly string[]>>;
};

export type WorkloadsConfig = {
  readonly trustDomains: readonly TrustDomainConfig[];
  /** CIDR ranges whose `X-Forwarded-Client-Cert` is believed. Empty: nobody's. */
  readonly meshProxies: readonly string[];
};

export type TrustDomainConfig = {
  /** `example.org`, without the scheme. */
  readonly name: string;
  /** PEM. */
  readonly bundleFile: string;
  readonly tenant: string;
};

export type ApiKeyConfig = {
  readonly name: string;
  /** SHA-256 of the key, lower-case hex, without the `sha256:` prefix. */
  readonly hash: string;
  readonly groups: readonly string[];
  readonly tenant: string;
  readonly expiresAtMs?: number;
};

export type IssuerConfig = {
  /** The issuer identifier, compared byte for byte with `iss`. */
  readonly issuer: string;
  readonly jwksUri?: string;
  readonly groupsClaim: string;
  /** The tenant of everyone, or the claim that says it; never both. */
  readonly tenant?: string;
  readonly tenantClaim?: string;
  /** Accepted beside those that `IdentityConfig.audience` speaks of. */
  readonly audiences: readonly string[];
  readonly algorithms?: readonly string[];
  readonly clockSkewSeconds: number;
  readonly requireAccessTokenType: boolean;
  readonly login?: LoginConfig;
};

/** How its users log in with a browser. */
export type LoginConfig = {
  readonly clientId: string;
  /** A reference. Absent: a public client. */
  readonly clientSecret?: ValueConfig;
  readonly scopes: readonly string[];
  readonly sessionMs: number;
};

/** The text of one policy file; `name` is its path relative to the configuration file. */
export type PolicySource = { readonly name: string; readonly text: string };

/** How often, or how many at a time. */
export type LimitConfig = (
  | { readonly count: number; readonly periodMs: number; readonly burst: number }
  | { readonly concurrent: number }
) & {
  readonly per: 'principal' | 'tool' | 'server' | 'client' | 'tenant' | 'address' | 'call';
  readonly server?: string;
  /** A glob over tool names. */
  readonly tool?: string;
  readonly risk?: Risk;
  /** As the operator wrote it, for messages: `60/minute per tool on files`. */
  readonly text: string;
};

export type RequestLimits = {
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxDepth: number;
  /** Event streams open at once: in all, and for one caller. */
  readonly maxStreams: number;
  readonly maxStreamsPerPrincipal: number;
  readonly maxConcurrent: number;
  /** For the body to arrive. */
  readonly bodyTimeoutMs: number;
  /** For the whole request, whatever the server's own timeout says. */
  readonly timeoutMs: number;
  /** The most of one result that is ever held in memory to look at it. */
  readonly maxBufferedResultBytes: number;
};
