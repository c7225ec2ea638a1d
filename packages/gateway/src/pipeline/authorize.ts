/** Step 6: the full decision, arguments known. Only `authz` can make the permit that the rest demands. */

import type { Authorizer } from '../authz/authorizer.ts';
import { refuse } from '../model/failure.ts';
import type { AuthorizedRequest, ResolvedRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';

export function authorize(request: ResolvedRequest, authorizer: Authorizer, trail: Trail): AuthorizedRequest {
  const decision = authorizer.authorize(request);
  trail.note({ kind: 'decided', decision });
  if (decision.effect === 'deny') {
    // An unknown method stays unknown: the caller was not admitted to any by name.
    throw refuse(request.operation.kind === 'extension' ? 'method-not-found' : 'forbidden');
  }
  const { operation: _operation, target: _target, ...rest } = request;
  return { ...rest, permit: decision.permit };
}
