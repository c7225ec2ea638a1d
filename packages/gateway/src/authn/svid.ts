/**
 * X.509-SVIDs: is this certificate a workload's, and does its chain end in the bundle of its own trust domain? TLS knows
 * the authorities of all trust domains at once, so an authority of one could sign for another; here it cannot. Pure.
 */

import { X509Certificate } from 'node:crypto';

import { quoted, refused, type Refused } from './refused.ts';
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts';
import type { TrustBundle } from './trust-bundle.ts';
import { uriNames } from './uri-names.ts';

export type VerifiedSvid = SpiffeId & {
  /** When the first certificate of its chain expires. */
  readonly expiresAtMs: number;
};

export type SvidCheck = {
  /** Leaf first, DER. That its sender holds the key of the leaf was proved to TLS. */
  readonly chain: readonly Uint8Array[];
  readonly bundleOf: (trustDomain: string) => TrustBundle | undefined;
  readonly nowMs: number;
};

/** Certificates between a leaf and its authority that are looked at. */
const MAX_INTERMEDIATES = 4;

const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';

export function verifySvid({ chain, bundleOf, nowMs }: SvidCheck): VerifiedSvid | Refused {
  const certificates = readChain(chain);
  const [leaf, ...intermediates] = certificates ?? [];
  if (leaf === undefined) return refused('invalid-credential', 'certificate: cannot be read');
  if (intermediates.length > MAX_INTERMEDIATES)
    return refused('invalid-credential', 'certificate: its chain is too long');
  const id = workloadOf(leaf);
  if (typeof id === 'string') return refused('invalid-credential', `certificate: ${id}`);
  const bundle = bundleOf(id.trustDomain);
  if (bundle === undefined) {
    return refused('invalid-credential', `certificate: unknown trust domain ${quoted(id.trustDomain)}`);
  }
  const untilMs = leafUntilMs(leaf, nowMs);
  if (typeof untilMs !== 'number') return untilMs;
  const expiresAtMs = chainUntilMs(leaf, intermediates, { bundle, nowMs });
  if (expiresAtMs === undefined) {
    return refused('invalid-credential', `certificate: no valid chain to an authority of ${quoted(id.trustDomain)}`);
  }
  return { ...id, expiresAtMs: Math.min(untilMs, expiresAtMs) };
}

function readChain(chain: readonly Uint8Array[]): readonly X509Certificate[] | undefined {
  try {
    return chain.map((der) => new X509Certificate(der));
  } catch {
    return undefined;
  }
}

/** The id, or what is wrong (X509-SVID, sections 2, 4 and 5). */
function workloadOf(leaf: X509Certificate): SpiffeId | string {
  const uris = uriNames(leaf.subjectAltName);
  if (uris === undefined) return 'its names cannot be read';
  const [uri] = uris;
  if (uri === undefined) return 'has no SPIFFE id';
  if (uris.length > 1) return `has ${uris.length} URIs, and must have one`;
  const id = parseSpiffeId(uri);
  if (!id.ok) return id.error;
  if (leaf.ca) return "may sign others, so it is no workload's";
  // Node calls the extended key usage so.
  if (Array.isArray(leaf.keyUsage) && !leaf.keyUsage.includes(CLIENT_AUTHENTICATION)) return 'is not for clients';
  return id.value;
}

function leafUntilMs(leaf: X509Certificate, nowMs: number): number | Refused {
  const untilMs = leaf.validToDate.getTime();
  if (nowMs >= untilMs) return refused('expired-credential', 'certificate: expired');
  return nowMs < leaf.validFromDate.getTime() ? refused('invalid-credential', 'certificate: not valid yet') : untilMs;
}

const isValid = (certificate: X509Certificate, nowMs: number): boolean =>
  nowMs >= certificate.validFromDate.getTime() && nowMs < certificate.validToDate.getTime();

/** Names, key ids and usage agree, and the signature is the issuer's. The cheap comparison comes first. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that OpenSSL does not know has signed nothing that we could check.
    return false;
  }
}

/** Link by link to an authority of the bundle. When the first of them expires; undefined when there is no way. */
function chainUntilMs(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  { bundle, nowMs }: { readonly bundle: TrustBundle; readonly nowMs: number },
): number | undefined {
  let at = leaf;
  let untilMs = Number.POSITIVE_INFINITY;
  const left = new Set(intermediates.filter((certificate) => certificate.ca && isValid(certificate, nowMs)));
  for (;;) {
    const issued = at;
    const authority = bundle.find((candidate) => isValid(candidate, nowMs) && isIssuedBy(issued, candidate));
    if (authority !== undefined) return Math.min(untilMs, authority.validToDate.getTime());
    const next = [...left].find((candidate) => isIssuedBy(issued, candidate));
    if (next === undefined) return undefined;
    // Each is used once, so the way ends however the certificates point at each other.
    left.delete(next);
    untilMs = Math.min(untilMs, next.validToDate.getTime());
    at = next;
  }
}
