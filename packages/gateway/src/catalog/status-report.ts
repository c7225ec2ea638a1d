/**
 * What a running gateway says of itself on `/status`, and how `sallyport status` and `sallyport tools` read it back.
 * Names and states only: no definition texts, no credentials, nobody's calls.
 */

import { isJsonObject } from '../model/json.ts';
import type { JsonObject } from '../model/json.ts';
import type { Era } from '../model/revision.ts';
import { CLASSIFICATIONS, type Classification, type Entry, type Risk, type Traits } from '../model/target.ts';
import type { Catalog, ServerStatus } from './catalog.ts';

export type StatusReport = {
  readonly version: string;
  readonly url: string;
  readonly startedAtMs: number;
  readonly uptimeMs: number;
  readonly catalogVersion: string;
  readonly policyVersion: string;
  readonly policies: ReportedPolicies;
  /** Where else the audit record goes. */
  readonly sinks: readonly ReportedSink[];
  /** The configuration file, absolute: commands on the same machine read it. */
  readonly configFile: string;
  /** Absent from an older gateway. */
  readonly audit?: ReportedAudit;
  readonly servers: readonly ReportedServer[];
  /** What the gateway depends on beside its servers. */
  readonly dependencies: readonly ReportedDependency[];
  /** What it holds or presents and will end, soonest first. */
  readonly credentials: readonly ReportedCredential[];
  /** Servers that people have consented to. How many, and never who. */
  readonly grants: readonly ReportedGrants[];
  readonly problems: readonly { readonly server?: string; readonly code: string; readonly message: string }[];
  readonly entries: readonly ReportedEntry[];
  /** Tools that the operator's own words keep from everyone, on `/mcp` at least. */
  readonly withheld: readonly ReportedWithheld[];
};

/** Whether the record takes what is written to it. */
export type ReportedAudit = {
  /** `writing` or `failing`. */
  readonly state: string;
  /** Records that wait for the file. */
  readonly backlogRecords: number;
  readonly overflowed: number;
  readonly reason?: string;
  /** The number of the newest record. */
  readonly sequence: number;
};

/** The set that decides, and what keeps a newer one from it. */
export type ReportedPolicies = {
  readonly version: string;
  readonly count: number;
  /** Since when this set is in force. */
  readonly sinceMs: number;
  /** The files say something that cannot be used; the set in force is older than they are. */
  readonly refused?: { readonly sinceMs: number; readonly problems: readonly string[] };
  /** Settings of the configuration file that a restart would change. */
  readonly restart?: readonly string[];
};

export type ReportedDependency = {
  readonly name: string;
  readonly kind: string;
  readonly up: boolean;
  /** Since when it is up, or is not. */
  readonly sinceMs: number;
  readonly reason?: string;
};

export type ReportedCredential = { readonly credential: string; readonly kind: string; readonly expiresAtMs: number };

export type ReportedGrants = {
  readonly server: string;
  readonly good: number;
  /** People who have to log in again before their calls are made. */
  readonly needsLogin: number;
};

export type ReportedSink = {
  readonly name: string;
  /** `starting`, `current`, `behind` or `failing`. */
  readonly state: string;
  readonly sinceMs: number;
  readonly reason?: string;
  readonly lagRecords: number;
  readonly lagSeconds: number;
  /** Records that were gone before it could have them. */
  readonly missed: number;
};

export type ReportedServer = {
  readonly id: string;
  readonly title?: string;
  readonly owner?: string;
  readonly environment?: string;
  readonly classification?: Classification;
  readonly tags?: readonly string[];
  readonly state: string;
  readonly sinceMs: number;
  readonly era?: Era;
  readonly reason?: string;
  /** Where a call to it last failed, also when all is well by now. */
  readonly lastFailure?: ReportedFailure;
  readonly counts: Readonly<Record<string, number>>;
};

export type ReportedFailure = {
  /** `connect`, `credential`, `send` or `answer`. */
  readonly stage: string;
  readonly code: string;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
};

/** What an operator reads of a server's state; made of more than the listing. */
export type ServerStanding = Pick<ReportedServer, 'state' | 'sinceMs' | 'reason' | 'lastFailure'>;

export type ReportedEntry = {
  readonly kind: Exclude<Entry['kind'], 'server'>;
  readonly server: string;
  readonly name: string;
  readonly aggregateName: string;
  readonly traits: Traits;
};

export type ReportedWithheld = {
  readonly server: string;
  readonly name: string;
  /** A word of `Withholding`; a neighbouring version may have others. */
  readonly why: string;
  readonly traits: Traits;
};

export type StatusFacts = Omit<StatusReport, 'catalogVersion' | 'servers' | 'problems' | 'entries' | 'withheld'> & {
  readonly standing: (server: ServerStatus) => ServerStanding;
};

const LISTS = ['tools', 'prompts', 'resources', 'templates'] as const;

/** The report of one snapshot. Fits `JSON.stringify`. */
export function statusReport(catalog: Catalog, { standing, ...facts }: StatusFacts): StatusReport & JsonObject {
  const endpoint = { kind: 'aggregate' } as const;
  return {
    ...facts,
    catalogVersion: catalog.version,
    servers: catalog.servers.map((status) => reportedServer(status, standing(status))),
    problems: catalog.problems,
    entries: LISTS.flatMap((kind) => catalog.list(endpoint, kind)).flatMap(reportedEntry),
    withheld: catalog.withheld.map(({ tool, why }) => ({
      server: tool.server.id,
      name: tool.name,
      why,
      traits: tool.traits,
    })),
  };
}

function reportedServer({ server, era, counts }: ServerStatus, standing: ServerStanding): ReportedServer & JsonObject {
  const { id, title, owner, environment, classification, tags } = server;
  return {
    id,
    ...(title === undefined ? {} : { title }),
    ...(owner === undefined ? {} : { owner }),
    ...(environment === undefined ? {} : { environment }),
    ...(classification === undefined ? {} : { classification }),
    ...(tags === undefined ? {} : { tags }),
    ...(era === undefined ? {} : { era }),
    ...standing,
    counts,
  };
}

function reportedEntry({ kind, server, name, aggregateName, traits }: Entry): ReportedEntry[] {
  return kind === 'server' ? [] : [{ kind, server: server.id, name, aggregateName, traits }];
}

/** The input schema of every tool, by its address: `files/read_file`. */
export function toolSchemas(catalog: Catalog): JsonObject {
  const tools = catalog.list({ kind: 'aggregate' }, 'tools');
  return Object.fromEntries(
    tools.flatMap((tool) => (tool.kind === 'tool' ? [[`${tool.server.id}/${tool.name}`, tool.inputSchema]] : [])),
  );
}

/** Reads a report of this or a neighbouring version of the gateway; `undefined` when it is none. */
export function readStatusReport(value: unknown): StatusReport | undefined {
  if (!isJsonObject(value) || !Array.isArray(value['servers']) || !Array.isArray(value['entries'])) return undefined;
  return {
    version: textOf(value['version']),
    url: textOf(value['url']),
    startedAtMs: numberOf(value['startedAtMs']),
    uptimeMs: numberOf(value['uptimeMs']),
    catalogVersion: textOf(value['catalogVersion']),
    policyVersion: textOf(value['policyVersion']),
    policies: readPolicies(value['policies']),
    sinks: listOf(value['sinks']).map(readSink),
    configFile: textOf(value['configFile']),
    ...readAudit(value['audit']),
    servers: value['servers'].filter(isJsonObject).map(readServer),
    dependencies: listOf(value['dependencies']).map(readDependency),
    credentials: listOf(value['credentials']).map((one) => ({
      credential: textOf(one['credential']),
      kind: textOf(one['kind']),
      expiresAtMs: numberOf(one['expiresAtMs']),
    })),
    grants: listOf(value['grants']).map((one) => ({
      server: textOf(one['server']),
      good: numberOf(one['good']),
      needsLogin: numberOf(one['needsLogin']),
    })),
    problems: listOf(value['problems']).map((problem) => ({
      ...(typeof problem['server'] === 'string' ? { server: problem['server'] } : {}),
      code: textOf(problem['code']),
      message: textOf(problem['message']),
    })),
    entries: value['entries'].filter(isJsonObject).flatMap(readEntry),
    withheld: listOf(value['withheld']).map((one) => ({
      server: textOf(one['server']),
      name: textOf(one['name']),
      why: textOf(one['why']),
      traits: readTraits(one['traits']),
    })),
  };
}

function readPolicies(value: unknown): ReportedPolicies {
  const report = isJsonObject(value) ? value : {};
  const { refused } = report;
  const restart = textsOf(report['restart']);
  return {
    version: textOf(report['version']),
    count: numberOf(report['count']),
    sinceMs: numberOf(report['sinceMs']),
    ...(isJsonObject(refused)
      ? { refused: { sinceMs: numberOf(refused['sinceMs']), problems: textsOf(refused['problems']) } }
      : {}),
    ...(restart.length === 0 ? {} : { restart }),
  };
}

function readAudit(value: unknown): Pick<StatusReport, 'audit'> {
  if (!isJsonObject(value)) return {};
  const { reason } = value;
  const audit = {
    state: textOf(value['state']),
    backlogRecords: numberOf(value['backlogRecords']),
    overflowed: numberOf(value['overflowed']),
    sequence: numberOf(value['sequence']),
  };
  return { audit: typeof reason === 'string' ? { ...audit, reason } : audit };
}

function readDependency(value: JsonObject): ReportedDependency {
  const { reason } = value;
  return {
    name: textOf(value['name']),
    kind: textOf(value['kind']),
    up: value['up'] === true,
    sinceMs: numberOf(value['sinceMs']),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}

function readSink(value: JsonObject): ReportedSink {
  return {
    name: textOf(value['name']),
    state: textOf(value['state']),
    sinceMs: numberOf(value['sinceMs']),
    ...(typeof value['reason'] === 'string' ? { reason: value['reason'] } : {}),
    lagRecords: numberOf(value['lagRecords']),
    lagSeconds: numberOf(value['lagSeconds']),
    missed: numberOf(value['missed']),
  };
}

function readServer(value: JsonObject): ReportedServer {
  const counts = isJsonObject(value['counts']) ? Object.entries(value['counts']) : [];
  const { title, owner, environment, classification, tags, era, reason } = value;
  return {
    id: textOf(value['id']),
    state: textOf(value['state']),
    sinceMs: numberOf(value['sinceMs']),
    counts: Object.fromEntries(counts.map(([kind, count]) => [kind, numberOf(count)])),
    ...(typeof title === 'string' ? { title } : {}),
    ...(typeof owner === 'string' ? { owner } : {}),
    ...(typeof environment === 'string' ? { environment } : {}),
    ...(isClassification(classification) ? { classification } : {}),
    ...(Array.isArray(tags) ? { tags: tags.filter((tag) => typeof tag === 'string') } : {}),
    ...(era === 'legacy' || era === 'modern' ? { era } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    ...readFailure(value['lastFailure']),
  };
}

function readFailure(value: unknown): Pick<ReportedServer, 'lastFailure'> {
  if (!isJsonObject(value)) return {};
  const { stage, code, message, atMs } = value;
  return {
    lastFailure: { stage: textOf(stage), code: textOf(code), message: textOf(message), atMs: numberOf(atMs) },
  };
}

function readEntry(value: JsonObject): ReportedEntry[] {
  const { kind } = value;
  if (kind !== 'tool' && kind !== 'prompt' && kind !== 'resource' && kind !== 'template') return [];
  const server = textOf(value['server']);
  const name = textOf(value['name']);
  const aggregateName = textOf(value['aggregateName']);
  return [{ kind, server, name, aggregateName, traits: readTraits(value['traits']) }];
}

function readTraits(value: unknown): Traits {
  const traits = isJsonObject(value) ? value : {};
  const { tags, scopes, classification } = traits;
  return {
    readOnly: traits['readOnly'] === true,
    risk: isRisk(traits['risk']) ? traits['risk'] : 'high',
    idempotent: traits['idempotent'] === true,
    tags: textsOf(tags),
    scopes: textsOf(scopes),
    classification: isClassification(classification) ? classification : 'restricted',
  };
}

const isRisk = (value: unknown): value is Risk => value === 'low' || value === 'medium' || value === 'high';
const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
const isClassification = (value: unknown): value is Classification => CLASSIFICATIONS.some((one) => one === value);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0);
const listOf = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : []);
