/** Lists show only what the caller may use. */

import type { Authorizer, Caller } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { refuse } from '../model/failure.ts';
import type { Operation } from '../model/operation.ts';
import type { Freshness, Outcome } from '../model/outcome.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Entry } from '../model/target.ts';
import type { Trail } from '../model/trail.ts';

export async function visibleEntries(
  caller: Caller,
  entries: readonly Entry[],
  authorizer: Authorizer,
): Promise<readonly Entry[]> {
  const admitted = await authorizer.admitAll(caller, entries);
  return entries.filter((_, index) => admitted[index] === true);
}

type ListParts = { readonly catalog: Catalog; readonly authorizer: Authorizer; readonly pageSize: number };

export async function listVisible(
  request: ResolvedRequest,
  operation: Extract<Operation, { kind: 'list' }>,
  parts: ListParts,
  trail: Trail,
): Promise<Outcome> {
  const { catalog, authorizer, pageSize } = parts;
  const all = catalog.list(request.endpoint, operation.of);
  const admitted = await visibleEntries(request, all, authorizer);
  const visible = request.endpoint.kind === 'aggregate' ? firstOfEachName(admitted) : admitted;
  trail.note({ kind: 'listed', shown: visible.length, hidden: all.length - visible.length });
  // A cursor belongs to one list as one set of policies showed it: after a change, offsets mean something else.
  const generation = `${operation.of}.${catalog.version}.${authorizer.version}`;
  const start = operation.cursor?.offset ?? 0;
  if (operation.cursor !== undefined && (operation.cursor.generation !== generation || start > visible.length)) {
    throw refuse('invalid-cursor');
  }
  const end = start + pageSize;
  return {
    kind: 'listed',
    page: {
      of: operation.of,
      entries: visible.slice(start, end),
      freshness: filteredFreshness(catalog.freshness(request.endpoint, operation.of)),
      missing: missingServers(request, catalog),
      ...(end < visible.length ? { next: { offset: end, generation } } : {}),
    },
  };
}

/** What depends on who asks is private, whatever the upstream said (MCP 2026-07-28, caching). */
const filteredFreshness = (freshness: Freshness): Freshness => ({ ttlMs: freshness.ttlMs, scope: 'private' });

function missingServers(request: ResolvedRequest, catalog: Catalog): readonly string[] {
  const { endpoint } = request;
  return catalog.servers
    .filter(
      ({ server, state }) => state !== 'healthy' && (endpoint.kind === 'aggregate' || server.id === endpoint.server),
    )
    .map(({ server }) => server.id);
}

/** Entries with the same address on the aggregate endpoint: the caller gets the first one that is theirs. */
function firstOfEachName(entries: readonly Entry[]): readonly Entry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    if (seen.has(entry.aggregateName)) return false;
    seen.add(entry.aggregateName);
    return true;
  });
}
