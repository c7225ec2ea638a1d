/** How the gateway itself stands: what it depends on, and how long its credentials are good. Told in metrics, status and log. */

import type { FileAuditLog } from '../audit/file-audit-log.ts';
import type { BearerAuthenticator } from '../authn/bearer-authenticator.ts';
import type { StatusReport } from '../catalog/status-report.ts';
import type { Config } from '../config/config.ts';
import type { ServerId } from '../model/target.ts';
import type { GrantEnd } from '../credential/grant-rows.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuditSinks } from './audit-sinks.ts';
import type { Certificates } from './certificates.ts';
import { Dependencies } from './dependencies.ts';
import { createExpiry } from './expiry.ts';
import { periodically } from './periodic.ts';
import type { Secrets } from './secrets.ts';
import type { Storage } from './storage.ts';
import type { Telemetry } from './telemetry.ts';

export type StandingParts = {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly certificates: Pick<Certificates, 'held'>;
  readonly storage: Pick<Storage, 'apiKeys' | 'grants' | 'place' | 'away'>;
  readonly audit: Pick<FileAuditLog, 'status'>;
  readonly sinks: Pick<AuditSinks, 'status'>;
  readonly telemetry: Pick<Telemetry, 'instruments' | 'collector'>;
  readonly logger: Logger;
};

export interface Standing {
  /** Where a part says that something it needs is away, or answers again. */
  readonly dependencies: Dependencies;
  /** Since when each server is in its state, from now on. */
  watchServers(servers: () => readonly { readonly id: ServerId; readonly sinceMs: number }[]): void;
  /** Their keys are fetched from now on before they are needed. */
  watchIssuers(bearer: Pick<BearerAuthenticator, 'issuers' | 'keepIssuersFresh'>): void;
  report(): Pick<StatusReport, 'dependencies' | 'credentials' | 'grants'>;
  close(): void;
}

/** Also what finds out that a database is away which nobody uses. */
const EXPIRY_EVERY_MS = 60_000;
/** Not at once: an issuer may start together with the gateway. */
const ISSUER_LOOKS = { firstAfterMs: 15_000, everyMs: 30_000 };

export function composeStanding(parts: StandingParts): Standing {
  const { config, secrets, certificates, storage, logger } = parts;
  const now = Date.now;
  const dependencies = new Dependencies(now);
  watchOwn(dependencies, parts);
  const expiry = createExpiry({ config, certificates, apiKeys: storage.apiKeys, resolver: secrets, logger, now });
  let servers: Parameters<Standing['watchServers']>[0] | undefined;
  const most = new Map(config.servers.map(({ id, maxInFlight }) => [id, maxInFlight]));
  let grantEnds: readonly GrantEnd[] = [];
  const lookAtGrants = async (): Promise<void> => {
    // A database that is away says nothing new about when they end.
    grantEnds = await storage.grants.soonest().catch(() => grantEnds);
  };
  const stops = [
    periodically({ firstAfterMs: 0, everyMs: EXPIRY_EVERY_MS, task: () => expiry.refresh() }),
    periodically({ firstAfterMs: 0, everyMs: EXPIRY_EVERY_MS, task: lookAtGrants }),
  ];
  parts.telemetry.instruments.observe({
    credentials: () => expiry.list(),
    grants: () => grantEnds,
    dependencies: () => dependencies.list().map(({ name, kind, up }) => ({ dependency: name, kind, up })),
    servers: () => (servers?.() ?? []).map(({ id, sinceMs }) => ({ server: id, capacity: most.get(id), sinceMs })),
    capacity: { requests: config.requests.maxConcurrent, streams: config.requests.maxStreams },
    now,
  });
  return {
    dependencies,
    watchServers(current) {
      servers = current;
    },
    watchIssuers(bearer) {
      for (const { issuer } of config.identity.issuers) {
        dependencies.watch(issuer, 'issuer', () => {
          const fetched = bearer.issuers().find((one) => one.issuer === issuer)?.lastFetch;
          return fetched === undefined ? undefined : stateOf(fetched.ok, fetched.reason);
        });
      }
      stops.push(periodically({ ...ISSUER_LOOKS, task: () => bearer.keepIssuersFresh() }));
    },
    report: () => ({
      dependencies: dependencies.list(),
      credentials: expiry.list(),
      grants: grantsOf(grantEnds),
    }),
    close() {
      for (const stop of stops) stop();
    },
  };
}

/** One row for each server; what no longer stands in the configuration is told of as well, as it can be revoked. */
function grantsOf(ends: readonly GrantEnd[]): StatusReport['grants'] {
  const rows = new Map<ServerId, { readonly server: ServerId; good: number; needsLogin: number }>();
  for (const { server, status, count } of ends) {
    const row = rows.get(server) ?? { server, good: 0, needsLogin: 0 };
    rows.set(server, row);
    row[status === 'good' ? 'good' : 'needsLogin'] += count;
  }
  return [...rows.values()].toSorted((one, other) => (one.server < other.server ? -1 : 1));
}

function watchOwn(dependencies: Dependencies, parts: StandingParts): void {
  const { config, secrets, storage, audit, sinks, telemetry } = parts;
  for (const kind of secrets.kinds) {
    dependencies.watch(`secrets ${kind}`, 'secret-store', () => {
      const reason = secrets.away(kind);
      return stateOf(reason === undefined, reason);
    });
  }
  if (storage.place !== undefined) {
    dependencies.watch('storage', 'database', () => {
      const reason = storage.away();
      return stateOf(reason === undefined, reason);
    });
  }
  dependencies.watch('audit', 'file', () => {
    const { state, reason } = audit.status();
    return stateOf(state === 'writing', reason);
  });
  for (const { name } of sinks.status()) {
    dependencies.watch(`sink ${name}`, 'sink', () => {
      const now = sinks.status().find((one) => one.name === name);
      return now === undefined || now.state === 'starting' ? undefined : stateOf(now.state !== 'failing', now.reason);
    });
  }
  if (config.telemetry !== undefined) dependencies.watch('collector', 'telemetry', () => telemetry.collector());
}

const stateOf = (up: boolean, reason: string | undefined): { readonly up: boolean; readonly reason?: string } =>
  reason === undefined ? { up } : { up, reason };
