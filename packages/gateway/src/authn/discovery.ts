/** Where an issuer publishes its keys: authorization server metadata (RFC 8414) or OpenID Connect Discovery 1.0. */

import { isJsonObject } from '../model/json.ts';
import { quoted } from './refused.ts';

/** GET, JSON, bounded size; rejects on anything but a 200. Goes out through `egress`. */
export type FetchJson = (url: string, signal: AbortSignal) => Promise<unknown>;

/**
 * The `jwks_uri` of the issuer's metadata.
 *
 * @throws Error that says what each well-known address answered.
 */
export async function discoverJwksUri(issuer: string, fetchJson: FetchJson, signal: AbortSignal): Promise<string> {
  const problems: string[] = [];
  for (const url of metadataUrls(issuer)) {
    try {
      return jwksUriOf(await fetchJson(url, signal), issuer);
    } catch (cause) {
      signal.throwIfAborted();
      problems.push(`${url}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  throw new Error(`no metadata: ${problems.join('; ')}`);
}

/** RFC 8414 section 3.1 puts the well-known path before the issuer's own, OpenID Connect Discovery section 4 after it. */
export function metadataUrls(issuer: string): readonly string[] {
  const url = new URL(issuer);
  const path = url.pathname.replace(/\/$/u, '');
  return [
    ...new Set([
      `${url.origin}/.well-known/oauth-authorization-server${path}`,
      `${url.origin}${path}/.well-known/openid-configuration`,
      `${url.origin}/.well-known/openid-configuration${path}`,
    ]),
  ];
}

function jwksUriOf(metadata: unknown, issuer: string): string {
  if (!isJsonObject(metadata)) throw new Error('not a JSON object');
  // RFC 8414 section 3.3: identical, or the metadata must not be used.
  if (metadata['issuer'] !== issuer) throw new Error(`speaks for the issuer ${quoted(metadata['issuer'])}`);
  const uri = metadata['jwks_uri'];
  if (typeof uri !== 'string' || !isTrustworthyUrl(uri)) throw new Error(`jwks_uri ${quoted(uri)} is not an https URL`);
  return uri;
}

/** https, or plain http on this very machine. Whoever can change keys on their way can be anyone. */
export function isTrustworthyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  if (protocol === 'https:') return true;
  return (
    protocol === 'http:' &&
    (hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/u.test(hostname))
  );
}
