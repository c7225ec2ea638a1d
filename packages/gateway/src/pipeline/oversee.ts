/**
 * What auditors and operators are told: the record, what was used, what is going on. Of the caller's own tenant, always, but
 * for whoever has a permit for all of them: the tenant comes from the credential and from nothing in the request.
 */

import type { AuditFeed } from '../audit/audit-feed.ts';
import type { AuditReader, FoundPage } from '../audit/audit-reader.ts';
import type { AuditQuery, Found } from '../audit/search.ts';
import type { UsageReport } from '../audit/usage.ts';
import type { UsageReader } from '../audit/usage-reader.ts';
import type { AuditAsked, ReadingAct } from '../model/administration.ts';
import { refuse } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { TenantId } from '../model/principal.ts';

/** What was sent and what came back, as far as it is kept. */
export interface KeptBodies {
  /** Undefined when there are none of this request, or when it is another tenant's. */
  get(request: string, tenant: TenantId | undefined): Promise<JsonObject | undefined>;
}

export type Oversight = {
  readonly records: Pick<AuditReader, 'search'>;
  readonly feed: AuditFeed;
  readonly usage: UsageReader;
  /** Undefined: none are kept. */
  readonly bodies: KeptBodies | undefined;
  /** Of one tenant, or of everyone and of the gateway itself. */
  readonly live: (tenant: TenantId | undefined) => JsonObject;
  /** What is held to call servers with, and never a value of it. */
  readonly credentials: (tenant: TenantId | undefined) => Promise<JsonObject>;
};

export type Follow = (take: (found: Found) => void) => (() => void) | undefined;

export type Overseen =
  | { readonly kind: 'records'; readonly page: FoundPage }
  | { readonly kind: 'feed'; readonly follow: Follow }
  | { readonly kind: 'bodies'; readonly bodies: JsonObject }
  | { readonly kind: 'usage'; readonly report: UsageReport }
  | { readonly kind: 'live'; readonly live: JsonObject }
  | { readonly kind: 'credentials'; readonly credentials: JsonObject };

/** @param of Whose records and calls; undefined: everyone's, by a permit for all tenants. @throws Refusal */
export async function oversee(
  act: ReadingAct,
  of: { readonly tenant: TenantId | undefined; readonly signal: AbortSignal },
  oversight: Oversight,
): Promise<Overseen> {
  const { tenant, signal } = of;
  switch (act.name) {
    case 'readAudit': {
      const query = queryOf(act.asked, tenant);
      if ('follow' in act) {
        const own = (found: Found): boolean => tenant === undefined || found.record.tenant === tenant;
        return { kind: 'feed', follow: (take) => oversight.feed.follow(query, (found) => own(found) && take(found)) };
      }
      const { intents, limit, after } = act;
      const page = await oversight.records.search(intents ? { ...query, intents } : query, {
        limit,
        signal,
        ...(after === undefined ? {} : { after }),
      });
      assertOwn(page.found, tenant);
      return { kind: 'records', page };
    }
    case 'readAuditBodies': {
      const bodies = await oversight.bodies?.get(act.request, tenant);
      if (bodies === undefined) throw refuse('not-found', { message: 'No bodies are kept of this request.' });
      return { kind: 'bodies', bodies };
    }
    case 'readUsage': {
      const asked = { month: act.month, by: act.by, ...(tenant === undefined ? {} : { tenant }) };
      return { kind: 'usage', report: await oversight.usage.usage(asked, signal) };
    }
    case 'readLive':
      return { kind: 'live', live: oversight.live(tenant) };
    case 'readCredentials':
      return { kind: 'credentials', credentials: await oversight.credentials(tenant) };
  }
}

/** Every reader keeps tenants apart; one that did not must fail, not tell. */
function assertOwn(found: FoundPage['found'], tenant: TenantId | undefined): void {
  if (tenant === undefined || found.every(({ record }) => record.tenant === tenant)) return;
  throw new Error("The reader of the record gave out another tenant's records.");
}

const queryOf = (asked: AuditAsked, tenant: TenantId | undefined): AuditQuery =>
  tenant === undefined ? asked : { ...asked, onlyTenant: tenant };
