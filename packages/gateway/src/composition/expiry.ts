/**
 * How long what the gateway holds and presents is still good: its certificate, trust bundles, API keys, and tokens for
 * servers that say when they end. Read for metrics and status; a line in the log 30, 7 and 1 days ahead, and at the end.
 */

import { X509Certificate } from 'node:crypto';

import type { ApiKeyStore, StoredApiKey } from '../authn/api-key-store.ts';
import type { ReportedCredential } from '../catalog/status-report.ts';
import type { Config } from '../config/config.ts';
import type { ValueConfig } from '../config/secrets-config.ts';
import type { SecretResolver } from '../credential/secret-resolver.ts';
import { tokenExpiryMs } from '../credential/token-claims.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { HeldCertificates } from './certificates.ts';

export type ExpiryParts = {
  readonly config: Config;
  readonly certificates: { held(): HeldCertificates };
  readonly apiKeys: Pick<ApiKeyStore, 'list'>;
  readonly resolver: Pick<SecretResolver, 'resolve' | 'leases'>;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

export interface Expiry {
  /** Soonest first, expired ones included. Costs no input or output. */
  list(): readonly ReportedCredential[];
  /** Reads what has to be read, and logs what is due. Never throws; to be called every minute or so. */
  refresh(): Promise<void>;
}

const DAY_MS = 86_400_000;
const SECRET_LEASE = 'secret-lease';
const WARN_DAYS = [30, 7, 1] as const;
/** Keys made for a job end every day: more of them than this tell no more than the first. */
const MAX_STORED_KEYS = 100;
/** A stored key that ended is told of for a day; then it is history. */
const ENDED_MS = DAY_MS;
const MAX_LISTED = 1_000;

export function createExpiry(parts: ExpiryParts): Expiry {
  const { config, certificates, apiKeys, resolver, logger, now } = parts;
  const said = new Map<string, number>();
  let stored: readonly ReportedCredential[] = [];
  let tokens: readonly ReportedCredential[] = [];
  let shown: { readonly pem: string; readonly listed: readonly ReportedCredential[] } | undefined;

  const ownCertificate = (pem: string | undefined): readonly ReportedCredential[] => {
    if (pem === undefined) return [];
    // Parsed once for each certificate, not at every scrape.
    if (shown?.pem !== pem) shown = { pem, listed: firstOfChain(pem) };
    return shown.listed;
  };

  const list = (): readonly ReportedCredential[] => {
    const held = certificates.held();
    const all = [
      ...ownCertificate(held.shown),
      ...held.bundles.flatMap((bundle) => authorities(bundle, now())),
      ...configuredKeys(config),
      ...tokens,
      ...stored,
      ...leases(resolver, now()),
    ];
    return all.toSorted((one, other) => one.expiresAtMs - other.expiresAtMs).slice(0, MAX_LISTED);
  };

  return {
    list,
    async refresh() {
      const [keys, found] = await Promise.all([endingKeys(apiKeys, now()), presentedTokens(config, resolver)]);
      // A database that is away says nothing new about when keys end.
      if (keys !== undefined) stored = keys;
      tokens = found;
      announce(list(), { said, logger, nowMs: now() });
    },
  };
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** Of a chain, the certificate that ends first: without it callers do not find the way to their authority. */
function firstOfChain(pem: string): readonly ReportedCredential[] {
  const ends = (pem.match(PEM) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text).validToDate.getTime()];
    } catch {
      return [];
    }
  });
  return ends.length === 0 ? [] : [{ credential: 'listener', kind: 'tls-certificate', expiresAtMs: Math.min(...ends) }];
}

/** Authorities that ended are left out while others of the bundle are good: a rotation leaves them behind. */
function authorities(
  { trustDomain, bundle }: HeldCertificates['bundles'][number],
  nowMs: number,
): readonly ReportedCredential[] {
  const all = bundle.map((authority) => ({
    credential: `${trustDomain} ${authority.fingerprint256.replaceAll(':', '').slice(0, 8).toLowerCase()}`,
    kind: 'trust-authority',
    expiresAtMs: authority.validToDate.getTime(),
  }));
  const good = all.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  return good.length === 0 ? all : good;
}

const inTenant = (tenant: string, name: string): string => (tenant === 'default' ? name : `${tenant}/${name}`);

const configuredKeys = ({ identity }: Config): readonly ReportedCredential[] =>
  identity.apiKeys.flatMap(({ name, tenant, expiresAtMs }) =>
    expiresAtMs === undefined ? [] : [{ credential: inTenant(tenant, name), kind: 'api-key', expiresAtMs }],
  );

/** Undefined when the store cannot say. */
async function endingKeys(
  apiKeys: ExpiryParts['apiKeys'],
  nowMs: number,
): Promise<readonly ReportedCredential[] | undefined> {
  try {
    const within = { fromMs: nowMs - ENDED_MS, untilMs: nowMs + WARN_DAYS[0] * DAY_MS, limit: MAX_STORED_KEYS };
    return (await apiKeys.list(within)).flatMap(storedKey);
  } catch {
    return undefined;
  }
}

const storedKey = ({ id, tenant, name, expiresAtMs }: StoredApiKey): ReportedCredential[] =>
  expiresAtMs === undefined
    ? []
    : [{ credential: `${inTenant(tenant, name)} ${id.slice(0, 8)}`, kind: 'stored-api-key', expiresAtMs }];

const named = (
  owner: string,
  values: Readonly<Record<string, ValueConfig>>,
): readonly { readonly credential: string; readonly value: ValueConfig }[] =>
  Object.entries(values).map(([name, value]) => ({ credential: `${owner} ${name}`, value }));

/** Of the values that servers and the collector are called with, those that say when they end. What cannot be read is told of when it is used. */
async function presentedTokens(
  config: Config,
  resolver: Pick<SecretResolver, 'resolve'>,
): Promise<readonly ReportedCredential[]> {
  const { servers, telemetry } = config;
  const values = [
    ...servers.flatMap(({ id, transport }) => named(id, transport.kind === 'http' ? transport.headers : transport.env)),
    ...named('collector', telemetry?.headers ?? {}),
  ];
  const found: ReportedCredential[] = [];
  for (const { credential, value } of values) {
    if (value.kind === 'literal') continue;
    try {
      const expiresAtMs = tokenExpiryMs(await resolver.resolve(value));
      if (expiresAtMs !== undefined) found.push({ credential, kind: 'server-token', expiresAtMs });
    } catch {
      continue;
    }
  }
  return found;
}

/** Of secrets that were made for us. They end within hours and are renewed: whoever cannot renew one says so. */
const leases = (resolver: ExpiryParts['resolver'], nowMs: number): readonly ReportedCredential[] =>
  resolver
    .leases()
    .map(({ name, leftMs = 0 }) => ({ credential: name, kind: SECRET_LEASE, expiresAtMs: nowMs + leftMs }));

type Announcing = { readonly said: Map<string, number>; readonly logger: Logger; readonly nowMs: number };

/** Each of 30, 7, 1 and 0 days once: the nearest that is due, and none that is over. */
function announce(all: readonly ReportedCredential[], { said, logger, nowMs }: Announcing): void {
  const present = new Set<string>();
  for (const { credential, kind, expiresAtMs } of all) {
    const key = `${kind} ${credential} ${expiresAtMs}`;
    present.add(key);
    if (kind === SECRET_LEASE) continue;
    const leftMs = expiresAtMs - nowMs;
    const due = leftMs <= 0 ? 0 : WARN_DAYS.findLast((days) => leftMs <= days * DAY_MS);
    if (due === undefined || (said.get(key) ?? Number.POSITIVE_INFINITY) <= due) continue;
    said.set(key, due);
    const fields = { credential, kind, expires: new Date(expiresAtMs).toISOString() };
    if (due === 0) logger.error(fields, `a credential has expired: ${MEND[kind] ?? MEND_OTHER}`);
    else
      logger.warn(
        fields,
        `a credential expires within ${due === 1 ? 'a day' : `${due} days`}: ${MEND[kind] ?? MEND_OTHER}`,
      );
  }
  for (const key of said.keys()) if (!present.has(key)) said.delete(key);
}

const MEND_OTHER = 'renew it';
const MEND: Readonly<Record<string, string>> = {
  'tls-certificate': 'put a new certificate in the place of tls.certificate; it is read without a restart',
  'trust-authority': 'put the next authority into the bundle of the trust domain; it is read without a restart',
  'api-key': 'give its owner a new key, and change identity.apiKeys',
  'stored-api-key': 'put its end off with "key expire", or give its owner a new one',
  'server-token': 'put a new token where the configuration refers to; it is used without a restart',
};
