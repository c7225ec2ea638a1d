/** Who issues tokens for an endpoint, and for what: its protected resource metadata (RFC 9728). */

import { protectedResourceMetadataUrl } from '../../authn/challenge.ts';
import { isTrustworthyUrl } from '../../authn/discovery.ts';
import type { Egress } from '../../egress/egress.ts';
import { isJsonObject } from '../../model/json.ts';

export type ProtectedResource = {
  /** What a token has to be asked for (RFC 8707). */
  readonly resource: string;
  readonly issuer: string;
  readonly scopes: readonly string[];
};

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 65_536;

/**
 * @param told The address that the challenge named.
 * @throws Error that says what each address answered.
 */
export async function findProtectedResource(
  egress: Egress,
  endpoint: URL,
  told: string | undefined,
): Promise<ProtectedResource> {
  const problems: string[] = [];
  for (const url of addresses(endpoint, told)) {
    try {
      // The person named the endpoint and believes it; who issues its tokens may stand in the same private network.
      const options = { policy: 'configured', timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES } as const;
      const { body } = await egress.fetchJson(url, options);
      return readMetadata(body, endpoint);
    } catch (error) {
      problems.push(`${url}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`The endpoint wants a log-in and does not say where. ${problems.join('; ')}`);
}

function addresses(endpoint: URL, told: string | undefined): readonly string[] {
  const own = protectedResourceMetadataUrl(endpoint.href);
  const root = protectedResourceMetadataUrl(endpoint.origin);
  const named = told !== undefined && isTrustworthyUrl(told) ? [told] : [];
  return [...new Set([...named, own, root])];
}

/** Metadata that speaks for another resource must not be used (RFC 9728 section 3.3); it may speak for the whole host. */
function readMetadata(value: unknown, endpoint: URL): ProtectedResource {
  if (!isJsonObject(value)) throw new Error('not a JSON object');
  const { resource, authorization_servers: servers, scopes_supported: scopes } = value;
  if (typeof resource !== 'string' || !URL.canParse(resource) || !covers(new URL(resource), endpoint)) {
    throw new Error('speaks for another resource');
  }
  const [issuer] = Array.isArray(servers) ? servers : [];
  if (typeof issuer !== 'string') throw new Error('names no authorization server: the endpoint takes API keys only');
  if (!isTrustworthyUrl(issuer)) throw new Error('names an authorization server that is not reached over https');
  const named = Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
  return { resource, issuer, scopes: named };
}

function covers(resource: URL, endpoint: URL): boolean {
  if (resource.origin !== endpoint.origin) return false;
  const path = resource.pathname.replace(/\/$/, '');
  return endpoint.pathname === path || endpoint.pathname.startsWith(`${path}/`);
}
