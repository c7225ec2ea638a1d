/** Step 3: may this principal use this target at all, arguments unknown? Denied looks exactly like unknown. */

import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';
import { unknown } from './resolve.ts';
import { seesServer } from './visibility.ts';

export async function admit(
  request: ResolvedRequest,
  catalog: Catalog,
  authorizer: Authorizer,
  trail: Trail,
): Promise<void> {
  const entry = request.target.entries[0];
  if (entry.kind === 'server') {
    // The aggregate is everyone's: it shows each caller what they may see, which may be nothing.
    if (request.endpoint.kind === 'aggregate') return;
    if (await seesServer(request, request.endpoint.server, catalog, authorizer)) return;
    throw await unknown(asUnresolved(request), catalog, authorizer);
  }
  const admission = authorizer.admit(request, entry);
  if (admission.admitted) return;
  trail.note({ kind: 'decided', decision: { effect: 'deny', grounds: admission.grounds } });
  throw await unknown(asUnresolved(request), catalog, authorizer);
}

function asUnresolved({ target: _, ...request }: ResolvedRequest): Omit<ResolvedRequest, 'target'> {
  return request;
}
