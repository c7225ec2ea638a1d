/**
 * `X-Forwarded-Client-Cert`, as Envoy writes it: elements parted by commas, each of pairs parted by semicolons, values in
 * double quotes where they hold one of those. Parsed strictly, because it decides who is calling. Pure.
 */

import { err, ok, type Result } from '../model/result.ts';
import { isSpiffeUri, parseSpiffeId, type SpiffeId } from './spiffe-id.ts';

/** The certificates themselves may be in it. */
const MAX_LENGTH = 32 * 1024;

/** A key, and its value as it stands or in quotes, where only a quote is escaped. */
const PAIR = /(?<key>[A-Za-z]+)=(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<plain>[^",;=\s]*))(?<end>[;,]|$)/y;

const KEYS: ReadonlySet<string> = new Set(['by', 'hash', 'cert', 'chain', 'subject', 'uri', 'dns']);

/** The names of the proxy itself and of hosts may be several. */
const REPEATABLE: ReadonlySet<string> = new Set(['by', 'dns']);

export type ForwardedCertificate = SpiffeId & {
  /** SHA-256 of the certificate, base64url, where the proxy says it. */
  readonly thumbprint?: string;
};

const SHA256_HEX = /^[0-9a-f]{64}$/i;

/**
 * The workload that the proxy vouches for: exactly one element, because a proxy that appends (`APPEND_FORWARD`) or passes on
 * what came (`FORWARD_ONLY`) would let callers write their own, and exactly one URI in it. The error is for the log.
 */
export function parseForwardedCertificate(header: string): Result<ForwardedCertificate, string> {
  if (header.length > MAX_LENGTH) return err(`longer than ${MAX_LENGTH} characters`);
  const pairs = readElement(header);
  if (!pairs.ok) return pairs;
  const uri = pairs.value.get('uri');
  if (uri === undefined || !isSpiffeUri(uri)) return err('has no SPIFFE id under URI');
  const id = parseSpiffeId(uri);
  const hash = pairs.value.get('hash');
  if (!id.ok || hash === undefined) return id;
  if (!SHA256_HEX.test(hash)) return err('has a Hash that is no SHA-256');
  return ok({ ...id.value, thumbprint: Buffer.from(hash, 'hex').toString('base64url') });
}

function readElement(header: string): Result<ReadonlyMap<string, string>, string> {
  const pairs = new Map<string, string>();
  for (let at = 0; ; at = PAIR.lastIndex) {
    PAIR.lastIndex = at;
    const { key = '', quoted, plain = '', end } = PAIR.exec(header)?.groups ?? {};
    const name = key.toLowerCase();
    if (!KEYS.has(name)) return err('is not of the form that Envoy writes');
    if (pairs.has(name) && !REPEATABLE.has(name)) return err(`names ${key} twice`);
    pairs.set(name, quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1'));
    if (end === ',') return err('has more than one element; the proxy must use SANITIZE_SET');
    if (end === '') return ok(pairs);
  }
}
