/**
 * Step 4: how much. After `admit`, so that refused requests cannot empty anyone's bucket. A place among calls in flight is
 * given back when the request is recorded, which is when its result is complete.
 */

import { refuse } from '../model/failure.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';
import type { Limiter, QuotaVerdict } from '../quota/limiter.ts';

export function consumeQuota(request: ResolvedRequest, limiter: Limiter, trail: Trail): void {
  const { principal, operation, client, target } = request;
  const verdict = limiter.consume({ principal, operation, address: client.address, entry: target.entries[0] });
  if (!verdict.allowed) throw refuse('quota-exceeded', { retryAfterMs: verdict.retryAfterMs, message: told(verdict) });
  if (verdict.release !== undefined) trail.note({ kind: 'holding', release: verdict.release });
}

function told({ limit, retryAfterMs, because }: Extract<QuotaVerdict, { allowed: false }>): string {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  switch (because) {
    case 'rate':
      return `Too many requests: the limit is ${limit}. Try again in ${seconds} s.`;
    case 'in-flight':
      return `Too many calls at the same time: the limit is ${limit}. Wait for one of them to end, then try again.`;
    case 'repeated':
      return (
        `The same call with the same arguments was made again and again: the limit is ${limit}. Asking again does not ` +
        `change the answer. Use the answer there is, change the arguments, or wait ${seconds} s.`
      );
  }
}
