/**
 * Step 2: names to catalog entries. No I/O. From here on policy speaks of servers and tools, not of what clients call
 * them. What does not exist and what the caller may not see get the same answer, made in one place: `unknown`.
 */

import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { failure, Refusal } from '../model/failure.ts';
import { nearestName } from '../model/nearest-name.ts';
import type { Operation } from '../model/operation.ts';
import type { AuthenticatedRequest, ResolvedRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';
import { visibleEntries } from './only-visible.ts';
import { seesServer } from './visibility.ts';

export function resolve(
  request: AuthenticatedRequest,
  catalog: Catalog,
  authorizer: Authorizer,
  trail: Trail,
): ResolvedRequest | Promise<ResolvedRequest> {
  const target = catalog.find(request.endpoint, request.operation);
  if (target === undefined) return refuseUnknown(request, catalog, authorizer);
  const [entry] = target.entries;
  // Of several owners of one URI, `admit` picks the caller's.
  if (target.entries.length === 1) trail.note({ kind: 'resolved', entry });
  return { ...request, target };
}

async function refuseUnknown(request: AuthenticatedRequest, catalog: Catalog, authorizer: Authorizer): Promise<never> {
  throw await unknown(request, catalog, authorizer);
}

/** The refusal for a name that does not exist, or that the caller may not know to exist. */
export async function unknown(
  request: AuthenticatedRequest,
  catalog: Catalog,
  authorizer: Authorizer,
): Promise<Refusal> {
  const { endpoint, operation } = request;
  if (endpoint.kind === 'server' && !(await seesServer(request, endpoint.server, catalog, authorizer))) {
    return new Refusal(failure('unknown-server'));
  }
  const down = endpoint.kind === 'server' ? unlistedServer(endpoint.server, catalog) : undefined;
  if (down !== undefined) return new Refusal(failure('server-unavailable', { message: down }));
  switch (operation.kind) {
    case 'call-tool':
      return notFound(
        'unknown-tool',
        'tool',
        operation.name,
        await visibleNames(request, 'tools', catalog, authorizer),
      );
    case 'get-prompt':
      return notFound(
        'unknown-prompt',
        'prompt',
        operation.name,
        await visibleNames(request, 'prompts', catalog, authorizer),
      );
    case 'complete-argument':
      return operation.ref.kind === 'prompt'
        ? notFound('unknown-prompt', 'prompt', operation.ref.name, [])
        : new Refusal(failure('unknown-resource', { data: { uri: operation.ref.uri } }));
    case 'read-resource':
    case 'subscribe':
      return new Refusal(failure('unknown-resource', { data: { uri: operation.uri } }));
    case 'task':
      return new Refusal(failure('unknown-task', { reason: reasonFor(operation) }));
    default:
      return new Refusal(failure(serverLevelCode(operation)));
  }
}

const serverLevelCode = (operation: Operation): 'method-not-found' | 'unknown-server' =>
  operation.kind === 'extension' ? 'method-not-found' : 'unknown-server';

const reasonFor = ({ ref }: Extract<Operation, { kind: 'task' }>): string =>
  ref === undefined
    ? 'the task id is none of ours, expired, or of another endpoint'
    : `the tool ${ref.tool} of the task is not there for this caller any more`;

/** A server that never told us what it offers: "unknown tool" would be a guess. */
function unlistedServer(server: string, catalog: Catalog): string | undefined {
  const status = catalog.servers.find((candidate) => candidate.server.id === server);
  if (status === undefined || status.state === 'healthy') return undefined;
  const offers = Object.values(status.counts).some((count) => count > 0);
  if (offers) return undefined;
  const since = new Date(status.sinceMs).toISOString();
  return `The server "${server}" is ${status.state} since ${since}. Try again shortly; the operator sees why with "sallyport status".`;
}

function notFound(
  code: 'unknown-tool' | 'unknown-prompt',
  noun: string,
  name: string,
  visible: readonly string[],
): Refusal {
  const shown = JSON.stringify(name.length > 128 ? `${name.slice(0, 128)}…` : name);
  const nearest = nearestName(name, visible);
  const hint =
    nearest === undefined ? ` List the ${noun}s to see what you may use.` : ` Did you mean ${JSON.stringify(nearest)}?`;
  return new Refusal(failure(code, { message: `Unknown ${noun} ${shown}.${hint}` }));
}

async function visibleNames(
  request: AuthenticatedRequest,
  kind: 'tools' | 'prompts',
  catalog: Catalog,
  authorizer: Authorizer,
): Promise<readonly string[]> {
  const entries = await visibleEntries(request, catalog.list(request.endpoint, kind), authorizer);
  return entries.map((entry) => (request.endpoint.kind === 'aggregate' ? entry.aggregateName : entry.name));
}
