/**
 * Which endpoint a request is for. Read from the request target as it came: nothing is decoded or normalised, so no two
 * spellings lead to one endpoint, and nothing is ever read from Host.
 */

import { PROTECTED_RESOURCE_PATH } from '../authn/challenge.ts';
import type { Endpoint } from '../model/target.ts';

export type Route =
  | { readonly kind: 'mcp'; readonly path: string; readonly endpoint: Endpoint }
  /** Metadata of the resource at `path` (RFC 9728); `path` is empty for the root. */
  | { readonly kind: 'metadata'; readonly path: string };

const AGGREGATE_PATH = '/mcp';
const AGGREGATE: Route = { kind: 'mcp', path: AGGREGATE_PATH, endpoint: { kind: 'aggregate' } };
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
  return endpointAt(path);
}

function endpointAt(path: string): Route | undefined {
  if (path === AGGREGATE_PATH) return AGGREGATE;
  const server = SERVER_PATH.exec(path)?.[1];
  return server === undefined ? undefined : { kind: 'mcp', path, endpoint: { kind: 'server', server } };
}
