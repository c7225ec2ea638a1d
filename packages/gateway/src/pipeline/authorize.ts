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
    const told = decision.told === undefined ? {} : { message: decision.told };
    throw request.operation.kind === 'extension' ? refuse('method-not-found') : refuse('forbidden', told);
  }
  const { operation: _operation, target: _target, ...rest } = request;
  return { ...rest, permit: decision.permit };
}
