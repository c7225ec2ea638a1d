/**
 * Who issues tokens for a server, and for what: its protected resource metadata (RFC 9728), where a challenge names it, else
 * at the two well-known addresses (MCP 2026-07-28, basic/authorization/authorization-server-discovery).
 */

import { readChallenge, type ReadChallenge } from '../../egress/bearer-challenge.ts';
import type { JsonObject } from '../../model/json.ts';
import { OAuthError } from './oauth-error.ts';
import { assertMayLeadTo, getJson, messageOf, reached, type OAuthWeb } from './oauth-web.ts';

export type ProtectedResource = {
  /** What a token has to be asked for (RFC 8707). */
  readonly resource: string;
  /** At least one. */
  readonly issuers: readonly string[];
  /** Undefined where it names none: then none are asked for. */
  readonly scopes: readonly string[] | undefined;
};

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** What the server says to whoever comes without a token. Undefined when it says nothing of the kind. */
export async function challengeOf(web: OAuthWeb, endpoint: string, signal: AbortSignal): Promise<ReadChallenge> {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  // Harmless everywhere: it opens no session, and asks for nothing.
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  const response = await reached(web.fetch(endpoint, { method: 'POST', headers, body, signal }), signal);
  if (response.status !== 401 && response.status !== 403) return {};
  return readChallenge(response.headers.get('www-authenticate') ?? undefined);
}

/**
 * Undefined for a server that has no such document: one of 2025-03-26, whose own origin is its authorization server.
 *
 * @throws OAuthError that says what each address answered
 */
export async function findProtectedResource(
  web: OAuthWeb,
  endpoint: string,
  challenge: ReadChallenge,
  signal: AbortSignal,
): Promise<ProtectedResource | undefined> {
  const told = challenge.resourceMetadata;
  if (told !== undefined) {
    // What the server names is used, and nothing else instead of it.
    assertMayLeadTo(web, 'resource_metadata of the challenge', told);
    return readMetadata(web, await named(told, getJson(web, told, signal)), endpoint);
  }
  const { origin, pathname } = new URL(endpoint);
  const own = pathname.replace(/\/$/, '');
  const problems: string[] = [];
  let isDown = false;
  for (const path of new Set([own, ''])) {
    const url = `${origin}${WELL_KNOWN}${path}`;
    try {
      return readMetadata(web, await getJson(web, url, signal), endpoint);
    } catch (error) {
      signal.throwIfAborted();
      isDown ||= error instanceof OAuthError && error.fault === 'unreachable';
      problems.push(`${url}: ${messageOf(error)}`);
    }
  }
  if (isDown) throw new OAuthError('unreachable', problems.join('; '));
  if (problems.every((problem) => / status 40[45] /.test(`${problem} `))) return undefined;
  throw new OAuthError('unsuitable', problems.join('; '));
}

async function named<T>(url: string, document: Promise<T>): Promise<T> {
  try {
    return await document;
  } catch (error) {
    if (error instanceof OAuthError) throw new OAuthError(error.fault, `${url}: ${error.message}`, error);
    throw error;
  }
}

/** Metadata that speaks for another resource must not be used (section 3.3); it may speak for the whole host, or a part. */
function readMetadata(web: OAuthWeb, metadata: JsonObject, endpoint: string): ProtectedResource {
  const { resource, authorization_servers: servers, scopes_supported: scopes } = metadata;
  if (typeof resource !== 'string' || !URL.canParse(resource) || !covers(new URL(resource), new URL(endpoint))) {
    throw new OAuthError('unsuitable', 'the metadata speaks for another resource');
  }
  const issuers = texts(servers).map((issuer) => assertMayLeadTo(web, 'the authorization server', issuer));
  if (issuers.length === 0) throw new OAuthError('unsuitable', 'the metadata names no authorization server');
  return { resource, issuers, scopes: Array.isArray(scopes) ? texts(scopes) : undefined };
}

function covers(resource: URL, endpoint: URL): boolean {
  if (resource.origin !== endpoint.origin || resource.hash !== '') return false;
  const path = resource.pathname.replace(/\/$/, '');
  return endpoint.pathname === path || endpoint.pathname.startsWith(`${path}/`);
}

const MAX_TEXTS = 200;

export const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string').slice(0, MAX_TEXTS) : [];

/** The scopes of a challenge or a token answer (RFC 6749 section 3.3). */
export const scopesIn = (value: unknown): readonly string[] =>
  typeof value === 'string' ? [...new Set(value.split(' ').filter((one) => one !== ''))].slice(0, MAX_TEXTS) : [];
