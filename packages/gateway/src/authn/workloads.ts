/**
 * Which workload a request comes from: by the certificate of its connection, or by the word of a proxy of the mesh. What
 * was verified is remembered, so that a connection that stays open costs nothing per request, and forgotten when the
 * bundles change or a certificate of the chain expires.
 */

import { createHash, hash } from 'node:crypto';

import { principalKey, type Principal, type TenantId, type Workload } from '../model/principal.ts';
import type { PresentedCredentials } from '../model/request.ts';
import type { Attempts } from './attempts.ts';
import type { AuthenticationAttempt } from './authenticator.ts';
import { deepFrozen } from './claims.ts';
import { parseForwardedCertificate } from './forwarded-certificate.ts';
import { createAddressSet } from './mesh-proxies.ts';
import { RecentMap } from './recent-map.ts';
import { quoted, refused, Refused } from './refused.ts';
import { verifySvid } from './svid.ts';
import type { TrustBundle } from './trust-bundle.ts';

export type TrustDomain = { readonly name: string; readonly tenant: TenantId; readonly bundle: TrustBundle };

export type WorkloadsOptions = {
  readonly trustDomains: readonly TrustDomain[];
  /** Addresses and ranges. Empty: nobody's word is taken. */
  readonly meshProxies: readonly string[];
  readonly attempts: Attempts;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Chains and forwarded ids that are remembered. Default 5,000 each. */
  readonly maxRemembered?: number;
};

/** A verified workload, and the principal that it is when it comes alone. The same object each time. */
export type KnownWorkload = {
  readonly workload: Workload;
  readonly principal: Principal;
  /** SHA-256 of its certificate, base64url (`x5t#S256`, RFC 8705 section 3.1). Absent when the proxy did not say it. */
  readonly thumbprint?: string;
};

export interface Workloads {
  /** Undefined when the request presents no workload. @throws Refusal when it presents one that is not valid. */
  of(attempt: AuthenticationAttempt): KnownWorkload | undefined;
  /** Takes effect with the next request, also on connections that are open. */
  replaceBundle(trustDomain: string, bundle: TrustBundle): void;
  /** The authorities of all trust domains: what TLS tells clients to choose a certificate by. PEM. */
  authorities(): readonly string[];
}

/**
 * What OpenSSL says of a chain that it can follow to no self-signed authority. Whether the chain ends where it must is
 * found out here; OpenSSL's other findings (path lengths, name constraints, weak signatures) stand.
 */
const CHAIN_ENDS_EARLY: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

type Remembered = { readonly known: KnownWorkload; readonly generation: number; readonly untilMs: number };

type Chain = NonNullable<PresentedCredentials['certificates']>;

/** @throws RangeError when a trust domain is named twice or a range of addresses is none. */
export function createWorkloads(options: WorkloadsOptions): Workloads {
  const { attempts, now, maxRemembered = 5_000 } = options;
  const domains = new Map(options.trustDomains.map((domain) => [domain.name, domain]));
  if (domains.size !== options.trustDomains.length) throw new RangeError('A trust domain is configured twice.');
  const isMeshProxy = createAddressSet(options.meshProxies);
  const bundleOf = (name: string): TrustBundle | undefined => domains.get(name)?.bundle;
  let generation = 0;
  /** By connection, whose chain is one object for as long as it lives; then by chain, which many connections present. */
  const byConnection = new WeakMap<Chain, Remembered>();
  const byChain = new RecentMap<string, Remembered>(maxRemembered);
  const forwarded = new RecentMap<string, KnownWorkload>(maxRemembered);

  const isCurrent = (remembered: Remembered | undefined): remembered is Remembered =>
    remembered !== undefined && remembered.generation === generation && now() < remembered.untilMs;

  const known = (workload: Workload, thumbprint: string | undefined): KnownWorkload | Refused => {
    const { trustDomain } = workload;
    const domain = domains.get(trustDomain);
    if (domain !== undefined) return knownWorkload(workload, domain.tenant, thumbprint);
    return refused('invalid-credential', `forwarded certificate: unknown trust domain ${quoted(trustDomain)}`);
  };

  const verifyChain = (chain: Chain, fault: string | undefined): Remembered | Refused => {
    const svid = verifySvid({ chain, bundleOf, nowMs: now() });
    if (svid instanceof Refused) return svid;
    if (fault !== undefined && !CHAIN_ENDS_EARLY.has(fault)) {
      return refused('invalid-credential', `certificate: TLS found ${quoted(fault)}`);
    }
    const made = known({ ...svid, credential: 'mtls' }, hash('sha256', chain[0] ?? '', 'base64url'));
    return made instanceof Refused ? made : { known: made, generation, untilMs: svid.expiresAtMs };
  };

  const ofChain = (chain: Chain, attempt: AuthenticationAttempt): KnownWorkload => {
    const ofConnection = byConnection.get(chain);
    if (isCurrent(ofConnection)) return ofConnection.known;
    const { certificateFault } = attempt.presented;
    const digest = digestOf(chain, certificateFault);
    const seen = byChain.get(digest);
    if (isCurrent(seen)) {
      byConnection.set(chain, seen);
      return seen.known;
    }
    attempts.take(attempt);
    const verified = verifyChain(chain, certificateFault);
    // It is the certificate that failed, whatever else was presented with it.
    if (verified instanceof Refused) return attempts.fail({ ...attempt, presented: { certificates: chain } }, verified);
    attempts.giveBack(attempt);
    byChain.set(digest, verified);
    byConnection.set(chain, verified);
    return verified.known;
  };

  const ofProxy = (header: string, attempt: AuthenticationAttempt): KnownWorkload => {
    const id = parseForwardedCertificate(header);
    // No attempt is taken: the address is the proxy's, and whoever misbehaves behind it must not lock everyone out.
    const told = { ...attempt, presented: { forwardedCertificate: header } };
    if (!id.ok) return attempts.fail(told, refused('invalid-credential', `forwarded certificate: ${id.error}`));
    const { thumbprint, ...workload } = id.value;
    const key = `${workload.id} ${thumbprint ?? ''}`;
    const seen = forwarded.get(key);
    if (seen !== undefined) return seen;
    const made = known({ ...workload, credential: 'mesh' }, thumbprint);
    if (made instanceof Refused) return attempts.fail(told, made);
    forwarded.set(key, made);
    return made;
  };

  return {
    of(attempt) {
      const { certificates, forwardedCertificate } = attempt.presented;
      if (certificates === undefined && forwardedCertificate === undefined) return undefined;
      const ofConnection = certificates === undefined ? undefined : ofChain(certificates, attempt);
      if (!isMeshProxy(attempt.address)) return ofConnection;
      // The connection is the proxy's own. Without a word from it about its caller, nobody is vouched for.
      return forwardedCertificate === undefined ? undefined : ofProxy(forwardedCertificate, attempt);
    },
    replaceBundle(name, bundle) {
      const domain = domains.get(name);
      if (domain === undefined) throw new RangeError(`${name} is not a configured trust domain`);
      domains.set(name, { ...domain, bundle });
      generation += 1;
      byChain.clear();
    },
    authorities: () => [...domains.values()].flatMap(({ bundle }) => bundle.map((authority) => authority.toString())),
  };
}

const digestOf = (chain: Chain, fault = ''): string => {
  const digest = createHash('sha256');
  // With their lengths, so that the same bytes cut elsewhere are another chain.
  for (const der of chain) digest.update(`${der.length}:`).update(der);
  return digest.update(fault).digest('base64url');
};

function knownWorkload(workload: Workload, tenant: TenantId, thumbprint: string | undefined): KnownWorkload {
  const { id, trustDomain, credential, expiresAtMs } = workload;
  const issuer = `spiffe://${trustDomain}`;
  return deepFrozen({
    workload,
    principal: {
      key: principalKey(tenant, issuer, id),
      tenant,
      kind: 'workload',
      issuer,
      subject: id,
      name: id,
      groups: [],
      scopes: [],
      credential: { kind: credential, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) },
      claims: {},
      workload,
    },
    ...(thumbprint === undefined ? {} : { thumbprint }),
  });
}
