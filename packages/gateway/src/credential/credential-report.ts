/**
 * What the gateway holds to call servers with, for people to look at: whose it is, how old, until when, and whether it works.
 * Rows come from several sources (the operator's references, people's grants) and never hold a value.
 */

import type { TenantId } from '../model/principal.ts';
import type { ServerId } from '../model/target.ts';

export type CredentialReport = {
  /** `operator` for what the configuration refers to, else the person, as the record names people. */
  readonly owner: string;
  /** Absent: nobody's in particular. Somebody who may read one tenant's alone does not see it. */
  readonly tenant?: TenantId;
  /** Absent: the gateway itself presents it (to a collector, a database, an identity provider). */
  readonly server?: ServerId;
  /** `headers`, `environment`, `oauth-grant`, … */
  readonly kind: string;
  /** The setting that it stands in, where it is the gateway's own. */
  readonly usedBy?: string;
  /** Where it comes from: references as they are written, or an issuer. */
  readonly references: readonly string[];
  /** Of a grant as it was given, of a token as it says itself, of a client as it is asked for. */
  readonly scopes?: readonly string[];
  readonly version?: string;
  /** Milliseconds since the epoch, all four. */
  readonly obtainedAtMs?: number;
  readonly expiresAtMs?: number;
  readonly lastUsedAtMs?: number;
  readonly lastFailure?: { readonly atMs: number; readonly reason: string };
  /** `good`, or what is wrong: `failing` is held and cannot be renewed, `missing` cannot be had. */
  readonly state: 'good' | 'failing' | 'missing' | 'unused' | 'needs-login';
};

/** Somebody who holds credentials. */
export interface CredentialSource {
  /** @param tenant Undefined: of all tenants. Must not wait for a server. */
  report(tenant: TenantId | undefined): readonly CredentialReport[] | Promise<readonly CredentialReport[]>;
}

/** More than anybody reads; what ends first is kept. */
const MAX_ROWS = 10_000;

/** The rows of all sources: what ends first stands first, then by server and owner. */
export async function reportCredentials(
  sources: readonly CredentialSource[],
  tenant: TenantId | undefined,
): Promise<readonly CredentialReport[]> {
  const rows = (await Promise.all(sources.map(async (source) => source.report(tenant)))).flat();
  const own = rows.filter((row) => tenant === undefined || row.tenant === tenant);
  return own.toSorted(inOrder).slice(0, MAX_ROWS);
}

function inOrder(one: CredentialReport, other: CredentialReport): number {
  const byEnd = (one.expiresAtMs ?? Infinity) - (other.expiresAtMs ?? Infinity);
  if (byEnd !== 0 && !Number.isNaN(byEnd)) return byEnd;
  return `${one.server ?? ''}\0${one.owner}`.localeCompare(`${other.server ?? ''}\0${other.owner}`);
}
