/** What metrics ask the parts for, and what they count as it passes. */

import type { ApprovalLog } from '../audit/audit-log.ts';
import type { Approval } from '../authz/approval.ts';
import type { WatchedApprovals } from '../authz/create-approvals.ts';
import type { CatalogStore } from '../catalog/catalog-store.ts';
import type { Catalog, Problem } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import type { Entrypoint } from '../entrypoint/entrypoint.ts';
import type { ServerId } from '../model/target.ts';
import type { Listeners } from '../pipeline/listeners.ts';
import type { Limiter } from '../quota/limiter.ts';
import type { Instruments, MetricSources } from '../telemetry/instruments.ts';
import type { MetricsEndpoint } from '../telemetry/otel-instruments.ts';
import { liveGroupOwners } from '../upstream/stdio/live-groups.ts';
import { createUsageWatch } from '../upstream/stdio/process-usage.ts';
import type { Upstreams } from '../upstream/upstreams.ts';

/** The same limiter; what it refuses is counted. */
export const countedLimiter = (limiter: Limiter, instruments: Pick<Instruments, 'quotaRefused'>): Limiter => ({
  consume(counted) {
    const verdict = limiter.consume(counted);
    if (!verdict.allowed) instruments.quotaRefused(verdict.limit);
    return verdict;
  },
});

/** The same log; words that count are counted. */
export const countedWords = (log: ApprovalLog, instruments: Pick<Instruments, 'approvalDecided'>): ApprovalLog => ({
  said(word) {
    if (word.fault === undefined) instruments.approvalDecided(word.verdict, word.how);
    log.said(word);
  },
});

/** More than one replica is ever asked for within the life of an approval. */
const MAX_PENDING = 10_000;

/** The same approvals; those that were asked for here and wait are known. */
export function watchPending(
  approvals: WatchedApprovals,
  now: () => number,
): { readonly approvals: WatchedApprovals; readonly pending: () => number } {
  const waiting = new Map<string, number>();
  const note = (approval: Approval): Approval => {
    if (approval.status !== 'pending') waiting.delete(approval.id);
    else if (waiting.size < MAX_PENDING) waiting.set(approval.id, approval.expiresAtMs);
    return approval;
  };
  return {
    approvals: {
      ...approvals,
      open: async (permit, requestId) => note(await approvals.open(permit, requestId)),
      settled: async (approval, forMs, signal) => note(await approvals.settled(approval, forMs, signal)),
      async decide(id, decision) {
        const decided = await approvals.decide(id, decision);
        if (decided.ok && decided.value.status !== 'pending') waiting.delete(id);
        return decided;
      },
      async use(id, permit) {
        const used = await approvals.use(id, permit);
        if (used) waiting.delete(id);
        return used;
      },
    },
    pending() {
      const nowMs = now();
      for (const [id, expiresAtMs] of waiting) if (expiresAtMs <= nowMs) waiting.delete(id);
      return waiting.size;
    },
  };
}

export type MetricParts = {
  readonly config: Config;
  readonly instruments: MetricsEndpoint;
  readonly upstreams: Upstreams;
  readonly store: CatalogStore;
  readonly entrypoint: Entrypoint;
  readonly listeners: Pick<Listeners, 'counts'>;
  readonly approvalsPending: () => number;
};

/** Once, when all parts are there. */
export function watchParts(parts: MetricParts): void {
  const { config, instruments, upstreams, store, entrypoint, listeners, approvalsPending } = parts;
  const drift = createDriftWatch();
  drift.see(store.current);
  store.onSwap((current, previous) => {
    if (current.version === previous.version) return;
    instruments.catalogChanged();
    drift.see(current);
  });
  instruments.watch({
    connections: () => entrypoint.connections(),
    calls: () => entrypoint.calls,
    approvalsPending,
    parkedCalls: () => upstreams.parkedCalls.size,
    subscriptions: () => listeners.counts(),
    feeds: () => feedsOf(config.servers, upstreams.feeds.counts()),
    upstreams: () => new Map(config.servers.map(({ id }) => [id, countsOf(upstreams, id)])),
    catalog: () => ({ version: numberOf(store.current.version), problems: problemsOf(store.current) }),
    drift: () => drift.drifted(),
    processes: createUsageWatch({ groups: liveGroupOwners }),
  });
}

/** Every server, so that one without is a zero and not a gap. */
const feedsOf = (servers: Config['servers'], counts: ReadonlyMap<ServerId, number>): ReadonlyMap<ServerId, number> =>
  new Map(servers.map(({ id }) => [id, counts.get(id) ?? 0]));

type Counts = ReturnType<MetricSources['upstreams']> extends ReadonlyMap<ServerId, infer C> ? C : never;

function countsOf(upstreams: Upstreams, server: ServerId): Counts {
  const {
    inFlight = 0,
    live = 0,
    idle = 0,
    spare = 0,
    connecting = 0,
    closing = 0,
    waiting = 0,
  } = upstreams.status(server) ?? {};
  return { inFlight, states: { used: live - idle, idle, spare, connecting, closing, waiting } };
}

/** A number that a gauge holds exactly: 48 bits. */
const numberOf = (version: string): number => Number.parseInt(version.slice(0, 12), 16);

const NO_PROBLEMS: Readonly<Record<Problem['code'], number>> = {
  'server-disabled': 0,
  'listing-failed': 0,
  'name-collision': 0,
  'definition-refused': 0,
};

function problemsOf({ problems }: Catalog): Readonly<Record<string, number>> {
  const counts = { ...NO_PROBLEMS };
  for (const { code } of problems) counts[code] += 1;
  return counts;
}

/** Tools that are remembered; the definitions of others are not compared. */
const MAX_TOOLS = 50_000;

/** Compares each tool with what it was when it was first seen. */
function createDriftWatch(): { see(catalog: Catalog): void; drifted(): ReadonlyMap<ServerId, number> } {
  const first = new Map<string, string>();
  const counts = new Map<ServerId, number>();
  return {
    see(catalog) {
      for (const { server } of catalog.servers) {
        let drifted = 0;
        for (const tool of catalog.list({ kind: 'server', server: server.id }, 'tools')) {
          const address = `${server.id}/${tool.name}`;
          const seen = first.get(address);
          if (seen === undefined && first.size < MAX_TOOLS) first.set(address, tool.hash);
          if (seen !== undefined && seen !== tool.hash) drifted += 1;
        }
        counts.set(server.id, drifted);
      }
    },
    drifted: () => counts,
  };
}
