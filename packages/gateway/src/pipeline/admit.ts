/** Step 3: may this principal use this target at all, arguments unknown? Denied looks exactly like unknown. */

import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Admission } from '../model/decision.ts';
import type { Operation } from '../model/operation.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Entry } from '../model/target.ts';
import type { Trail } from '../model/trail.ts';
import { unknown } from './resolve.ts';
import { seesServer } from './visibility.ts';

/** The request, narrowed to the one entry that it is about and in that server's own words. */
export function admit(
  request: ResolvedRequest,
  catalog: Catalog,
  authorizer: Authorizer,
  trail: Trail,
): ResolvedRequest | Promise<ResolvedRequest> {
  const { endpoint, entries } = request.target;
  if (entries[0].kind === 'server') return admitServer(request, catalog, authorizer, trail);
  let denied: Admission | undefined;
  for (const entry of entries) {
    const admission = authorizer.admit(request, entry);
    if (admission.admitted) {
      trail.note({ kind: 'resolved', entry });
      const operation = inOwnWords(request.operation, entry);
      if (operation === request.operation && entries.length === 1) return request;
      return { ...request, operation, target: { endpoint, entries: [entry] } };
    }
    denied ??= admission;
  }
  trail.note({ kind: 'resolved', entry: entries[0] });
  if (denied !== undefined) trail.note({ kind: 'decided', decision: { effect: 'deny', grounds: denied.grounds } });
  return hide(request, catalog, authorizer);
}

async function admitServer(
  request: ResolvedRequest,
  catalog: Catalog,
  authorizer: Authorizer,
  trail: Trail,
): Promise<ResolvedRequest> {
  const { endpoint, entries } = request.target;
  // The aggregate is everyone's: it shows each caller what they may see, which may be nothing.
  if (endpoint.kind === 'aggregate') return request;
  if (await seesServer(request, endpoint.server, catalog, authorizer)) return request;
  const { grounds } = authorizer.admit(request, entries[0]);
  trail.note({ kind: 'decided', decision: { effect: 'deny', grounds } });
  return hide(request, catalog, authorizer);
}

async function hide(request: ResolvedRequest, catalog: Catalog, authorizer: Authorizer): Promise<never> {
  const { target: _, ...unresolved } = request;
  throw await unknown(unresolved, catalog, authorizer);
}

/** The operation with the server's own name for the tool or prompt, which on the aggregate endpoint clients do not use. */
function inOwnWords(operation: Operation, entry: Entry): Operation {
  switch (operation.kind) {
    case 'call-tool':
    case 'get-prompt':
      return operation.name === entry.name ? operation : { ...operation, name: entry.name };
    case 'complete-argument':
      return operation.ref.kind === 'prompt' ? { ...operation, ref: { kind: 'prompt', name: entry.name } } : operation;
    default:
      return operation;
  }
}
