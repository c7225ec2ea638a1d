/**
 * Which endpoint a request is for. Read from the request target as it came: nothing is decoded or normalised, so no two
 * spellings lead to one endpoint, and nothing is ever read from Host.
 */

import { PROTECTED_RESOURCE_PATH } from '../authn/challenge.ts';
import type { Endpoint, ServerId } from '../model/target.ts';

export type EndpointRoute = { readonly kind: 'mcp'; readonly path: string; readonly endpoint: Endpoint };

export type Route =
  | EndpointRoute
  /** An endpoint as clients of 2024-11-05 reach it (HTTP+SSE): a stream, and where messages for it are posted. */
  | { readonly kind: 'sse'; readonly place: 'stream' | 'messages'; readonly of: EndpointRoute }
  /** Metadata of the resource at `path` (RFC 9728); `path` is empty for the root. */
  | { readonly kind: 'metadata'; readonly path: string }
  /** The gateway's own API, for programs. */
  | { readonly kind: 'api'; readonly place: ApiPlace }
  /** Its own pages, for people. */
  | { readonly kind: 'page'; readonly place: PagePlace }
  /** How the gateway describes itself to authorization servers. */
  | { readonly kind: 'client-document' };

export type ApiPlace =
  | { readonly name: 'evaluation' | 'evaluations' | 'authzen-configuration' | 'approvals' }
  | { readonly name: 'approval' | 'decision'; readonly id: string }
  | { readonly name: 'reading'; readonly of: ReadingPlace };

/** What auditors and operators read. */
export type ReadingPlace =
  | { readonly name: 'records' }
  | { readonly name: 'tail' }
  | { readonly name: 'usage' }
  | { readonly name: 'live' }
  | { readonly name: 'credentials' }
  | { readonly name: 'request'; readonly id: string }
  | { readonly name: 'bodies'; readonly id: string };

export type PagePlace =
  | { readonly name: 'login' | 'login-callback' | 'logout' | 'logged-out' | 'approvals' }
  | { readonly name: 'consent-callback' }
  | { readonly name: 'connect'; readonly server: ServerId }
  | { readonly name: 'approval'; readonly id: string };

const AGGREGATE_PATH = '/mcp';
const AGGREGATE: EndpointRoute = { kind: 'mcp', path: AGGREGATE_PATH, endpoint: { kind: 'aggregate' } };
const APPROVAL_PATH = /^(?<place>\/approvals|\/api\/v1\/approvals)\/(?<id>[A-Za-z0-9_-]{1,64})(?<rest>\/decision)?$/;
const AUDIT_REQUEST_PATH = /^\/api\/v1\/audit\/records\/(?<id>[A-Za-z0-9_-]{1,64})(?<rest>\/bodies)?$/;
const reading = (of: ReadingPlace): Route => ({ kind: 'api', place: { name: 'reading', of } });

const OWN_PLACES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/access/v1/evaluation', { kind: 'api', place: { name: 'evaluation' } }],
  ['/access/v1/evaluations', { kind: 'api', place: { name: 'evaluations' } }],
  ['/.well-known/authzen-configuration', { kind: 'api', place: { name: 'authzen-configuration' } }],
  ['/api/v1/approvals', { kind: 'api', place: { name: 'approvals' } }],
  ['/api/v1/audit/records', reading({ name: 'records' })],
  ['/api/v1/audit/tail', reading({ name: 'tail' })],
  ['/api/v1/usage', reading({ name: 'usage' })],
  ['/api/v1/live', reading({ name: 'live' })],
  ['/api/v1/credentials', reading({ name: 'credentials' })],
  ['/login', { kind: 'page', place: { name: 'login' } }],
  ['/login/callback', { kind: 'page', place: { name: 'login-callback' } }],
  ['/logout', { kind: 'page', place: { name: 'logout' } }],
  ['/logged-out', { kind: 'page', place: { name: 'logged-out' } }],
  ['/approvals', { kind: 'page', place: { name: 'approvals' } }],
]);
/** Not under `/connect/`, where a server of any name can stand. */
export const CONSENT_CALLBACK_PATH = '/oauth/callback';
export const CLIENT_DOCUMENT_PATH = '/oauth/client.json';
const CONNECT_PATH = /^\/connect\/([a-z0-9-]{1,64})$/;
const SERVER_PATH = /^\/servers\/([a-z0-9-]{1,64})\/mcp$/;

/** Undefined when there is nothing at this path. A query is allowed and ignored. */
export function routeOf(requestTarget: string): Route | undefined {
  const query = requestTarget.indexOf('?');
  const path = query === -1 ? requestTarget : requestTarget.slice(0, query);
  if (path.startsWith(PROTECTED_RESOURCE_PATH)) {
    const resource = path.slice(PROTECTED_RESOURCE_PATH.length);
    const known = resource === '' || endpointAt(resource) !== undefined;
    return known ? { kind: 'metadata', path: resource } : undefined;
  }
  const own = OWN_PLACES.get(path) ?? approvalAt(path) ?? auditRequestAt(path) ?? consentAt(path);
  return endpointAt(path) ?? sseAt(path) ?? own;
}

function consentAt(path: string): Route | undefined {
  if (path === CLIENT_DOCUMENT_PATH) return { kind: 'client-document' };
  if (path === CONSENT_CALLBACK_PATH) return { kind: 'page', place: { name: 'consent-callback' } };
  const server = CONNECT_PATH.exec(path)?.[1];
  return server === undefined ? undefined : { kind: 'page', place: { name: 'connect', server } };
}

function auditRequestAt(path: string): Route | undefined {
  const { id, rest } = AUDIT_REQUEST_PATH.exec(path)?.groups ?? {};
  if (id === undefined) return undefined;
  return reading({ name: rest === undefined ? 'request' : 'bodies', id });
}

function approvalAt(path: string): Route | undefined {
  const { place, id = '', rest } = APPROVAL_PATH.exec(path)?.groups ?? {};
  if (place === undefined) return undefined;
  if (place === '/approvals') return rest === undefined ? { kind: 'page', place: { name: 'approval', id } } : undefined;
  return { kind: 'api', place: { name: rest === undefined ? 'approval' : 'decision', id } };
}

const SSE_PATH = /^(?<base>|\/servers\/[a-z0-9-]{1,64})\/sse(?<rest>\/messages)?$/;

function sseAt(path: string): Route | undefined {
  const { base, rest } = SSE_PATH.exec(path)?.groups ?? {};
  const of = base === undefined ? undefined : endpointAt(`${base}${AGGREGATE_PATH}`);
  return of && { kind: 'sse', place: rest === undefined ? 'stream' : 'messages', of };
}

/** Where messages of an HTTP+SSE session of this endpoint are posted. */
export const messagesPathOf = ({ path }: EndpointRoute): string =>
  `${path.slice(0, -AGGREGATE_PATH.length)}/sse/messages`;

function endpointAt(path: string): EndpointRoute | undefined {
  if (path === AGGREGATE_PATH) return AGGREGATE;
  const server = SERVER_PATH.exec(path)?.[1];
  return server === undefined ? undefined : { kind: 'mcp', path, endpoint: { kind: 'server', server } };
}
