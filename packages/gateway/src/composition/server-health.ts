/**
 * In what state a server is, for operators: made of what its listing said, how its calls go, what its breaker does, whether
 * a process of it runs, and whether what it depends on answers. Callers are not affected: calls are tried while a server is
 * listed.
 */

import type { CatalogStore } from '../catalog/catalog-store.ts';
import type { ServerStatus } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import type { ServerId } from '../model/target.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { LastFailure, RecentOutcomes } from '../upstream/outcome-window.ts';
import type { UpstreamStatus, Upstreams } from '../upstream/upstreams.ts';
import type { ServerDependencies } from './server-dependencies.ts';
import { periodically } from './periodic.ts';

export type ServerState =
  | 'starting'
  | 'healthy'
  /** It answers, and something is wrong: some calls fail, it was not listed lately, or what it depends on is away. */
  | 'degraded'
  | 'unhealthy'
  /** It refuses the credential that the gateway presents. */
  | 'needs-login'
  /** No process of it runs, because nobody needs one: the next call starts it. */
  | 'stopped'
  | 'disabled';

export type ServerHealth = {
  readonly state: ServerState;
  readonly sinceMs: number;
  readonly reason?: string;
  readonly lastFailure?: ReportedFailure;
};

/** Where a call to it last failed, and when: `atMs` since the epoch. */
export type ReportedFailure = Omit<LastFailure, 'agoMs'> & { readonly atMs: number };

export type HealthFacts = {
  readonly listed: Pick<ServerStatus, 'state' | 'reason' | 'sinceMs' | 'code'>;
  readonly upstream: UpstreamStatus | undefined;
  /** Started by us, on demand. */
  readonly isProcess: boolean;
  /** What it depends on and does not answer. */
  readonly away: readonly string[];
};

/** Fewer is a hiccup, which the last failure tells of. */
const MIN_UNSERVED = 3;
const DEGRADED_SHARE = 0.2;

type Judged = { readonly state: ServerState; readonly reason?: string };

/** Pure: the worst that is true. */
export function judge({ listed, upstream, isProcess, away }: HealthFacts, nowMs: number): Judged {
  if (listed.state === 'disabled' || listed.state === 'starting') return because(listed.state, listed.reason);
  const { recent, breaker } = upstream ?? {};
  if (listed.state === 'unhealthy') {
    if (listed.code === 'upstream-refused' || listed.code === 'needs-login')
      return because('needs-login', listed.reason);
    const served = recent?.servedAgoMs !== undefined && nowMs - recent.servedAgoMs > listed.sinceMs;
    return served
      ? because('degraded', `It answers calls, but could not be listed: ${listed.reason ?? 'unknown'}`)
      : because('unhealthy', listed.reason);
  }
  if (breaker === 'open')
    return because('unhealthy', `Too many calls failed, so it is left alone. ${lastWords(recent)}`);
  if (breaker === 'half-open') return because('degraded', `It failed too often; one call tries. ${lastWords(recent)}`);
  if (recent?.lastFailure?.code === 'upstream-refused' && refusedLast(recent)) {
    return because('needs-login', recent.lastFailure.message);
  }
  if (away.length > 0) return because('degraded', `What it depends on does not answer: ${away.join(', ')}.`);
  if (recent !== undefined && recent.unserved >= MIN_UNSERVED && recent.unserved >= DEGRADED_SHARE * recent.calls) {
    return because('degraded', `${recent.unserved} of its latest ${recent.calls} calls failed. ${lastWords(recent)}`);
  }
  return { state: isProcess && !runs(upstream) ? 'stopped' : 'healthy' };
}

const because = (state: ServerState, reason: string | undefined): Judged =>
  reason === undefined ? { state } : { state, reason: reason.trim() };

const lastWords = (recent: RecentOutcomes | undefined): string => recent?.lastFailure?.message ?? '';

/** Nothing was served since. */
const refusedLast = ({ lastFailure, servedAgoMs }: RecentOutcomes): boolean =>
  lastFailure !== undefined && (servedAgoMs === undefined || servedAgoMs > lastFailure.agoMs);

const runs = (upstream: UpstreamStatus | undefined): boolean =>
  upstream !== undefined && upstream.live + upstream.spare + upstream.connecting > 0;

export type ServerNow = ServerHealth & { readonly id: ServerId };

export type ServerHealthParts = {
  readonly config: Pick<Config, 'servers'>;
  readonly upstreams: Pick<Upstreams, 'status'>;
  readonly store: Pick<CatalogStore, 'current' | 'onSwap'>;
  readonly dependencies: Pick<ServerDependencies, 'away'>;
  readonly instruments: Pick<Instruments, 'upstreamState'>;
  readonly logger: Logger;
};

export interface ServerHealthWatch {
  of(status: ServerStatus): ServerHealth;
  /** In the order of the configuration. */
  all(): readonly ServerNow[];
  close(): void;
}

/** What nobody asks for is noticed within this time. */
const LOOK_EVERY_MS = 5_000;

/** Remembers since when each server is in its state. Servers are those of the configuration: bounded by it. */
export function composeServerHealth(parts: ServerHealthParts): ServerHealthWatch {
  const { config, upstreams, store, dependencies, instruments, logger } = parts;
  const processes = new Set(config.servers.filter(({ transport }) => transport.kind === 'stdio').map(({ id }) => id));
  const known = new Map<ServerId, { readonly state: ServerState; readonly sinceMs: number }>();

  const of = (listed: ServerStatus): ServerHealth => {
    const { id } = listed.server;
    const nowMs = Date.now();
    const upstream = upstreams.status(id);
    const judged = judge({ listed, upstream, isProcess: processes.has(id), away: dependencies.away(id) }, nowMs);
    const before = known.get(id);
    const sinceMs = before === undefined ? listed.sinceMs : before.state === judged.state ? before.sinceMs : nowMs;
    if (before?.state !== judged.state) {
      known.set(id, { state: judged.state, sinceMs });
      instruments.upstreamState(id, judged.state);
      if (before !== undefined) logChange(logger, id, judged);
    }
    const last = upstream?.recent.lastFailure;
    return { ...judged, sinceMs, ...(last === undefined ? {} : { lastFailure: reported(last, nowMs) }) };
  };
  const all = (): readonly ServerNow[] =>
    store.current.servers.map((status) => ({ id: status.server.id, ...of(status) }));

  all();
  store.onSwap(() => void all());
  const stop = periodically({
    firstAfterMs: LOOK_EVERY_MS,
    everyMs: LOOK_EVERY_MS,
    task: async () => void all(),
  });
  return { of, all, close: stop };
}

const NEWS: ReadonlySet<ServerState> = new Set<ServerState>(['degraded', 'needs-login']);

/** What the listing finds out is logged there already. */
function logChange(logger: Logger, server: ServerId, { state, reason }: Judged): void {
  if (NEWS.has(state)) logger.warn({ server, reason }, `the server is ${state}`);
  else logger.debug({ server, reason }, `the server is ${state}`);
}

function reported({ agoMs, ...failure }: LastFailure, nowMs: number): ReportedFailure {
  return { ...failure, atMs: Math.round(nowMs - agoMs) };
}
