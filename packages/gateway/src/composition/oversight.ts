/** What auditors and operators are told, from the record and from the parts that run. */

import type { AuditReader } from '../audit/audit-reader.ts';
import { createFileAuditFeed } from '../audit/file-audit-feed.ts';
import { createFileAuditReader } from '../audit/file-audit-reader.ts';
import { createUsageReader } from '../audit/usage-reader.ts';
import type { EntrypointCounts } from '../entrypoint/entrypoint.ts';
import type { JsonObject } from '../model/json.ts';
import type { TenantId } from '../model/principal.ts';
import type { KeptBodies, Oversight } from '../pipeline/oversee.ts';
import type { ServerNow } from './server-health.ts';
import type { Live } from '../telemetry/live.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';
import type { ListCredentials } from './credentials.ts';

export type OversightParts = {
  readonly auditFile: string;
  /** Where all replicas' records can be searched; default: this one's own files. */
  readonly records?: AuditReader | undefined;
  readonly bodies?: KeptBodies | undefined;
  readonly live: Live;
  readonly credentials: ListCredentials;
  /** In what state each server is. */
  readonly servers: () => readonly ServerNow[];
  readonly counts: () => EntrypointCounts & { readonly parkedCalls: number };
  readonly logger: Logger;
};

export function composeOversight(parts: OversightParts): Oversight & { close(): Promise<void> } {
  const { auditFile, logger, bodies } = parts;
  const records = parts.records ?? createFileAuditReader({ path: auditFile });
  const feed = createFileAuditFeed({ path: auditFile, logger, after: (ms, task) => systemClock.after(ms, task) });
  return {
    records,
    feed,
    usage: createUsageReader({ reader: records, now: Date.now }),
    bodies,
    live: (tenant) => liveReport(parts, tenant),
    credentials: parts.credentials,
    close: () => feed.close(),
  };
}

/** Of one tenant: its own calls. What is everyone's (connections, servers and their state) is for operators alone. */
function liveReport({ live, servers, counts }: OversightParts, tenant: TenantId | undefined): JsonObject {
  const report = { atMs: Date.now(), ...live.report(tenant) };
  if (tenant !== undefined) return { ...report, tenant };
  const shown = servers().map(({ id, state, sinceMs, reason }) => ({
    id,
    state,
    sinceMs,
    ...(reason === undefined ? {} : { reason }),
  }));
  return { ...report, ...counts(), servers: shown };
}
