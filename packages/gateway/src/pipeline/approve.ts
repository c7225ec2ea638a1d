/** Step 7: the permit's obligations. What nobody here can fulfil is refused, never waved through. */

import { approverText } from '../model/decision.ts';
import { refuse } from '../model/failure.ts';
import type { AuthorizedRequest } from '../model/request.ts';

export function approve(request: AuthorizedRequest): AuthorizedRequest {
  const [obligation] = request.permit.obligations;
  if (obligation === undefined) return request;
  throw refuse('forbidden', {
    message: `Policy allows this call only with an approval by ${approverText(obligation.by)}, and this gateway has no way to ask for one. Ask the operator.`,
  });
}
