/** Step 4: how much. After `admit`, so that refused requests cannot empty anyone's bucket. */

import { refuse } from '../model/failure.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Limiter } from '../quota/limiter.ts';

export function consumeQuota(request: ResolvedRequest, limiter: Limiter): void {
  const verdict = limiter.consume(request.principal, request.target.entries[0]);
  if (verdict.allowed) return;
  const seconds = Math.max(1, Math.ceil(verdict.retryAfterMs / 1000));
  throw refuse('quota-exceeded', {
    retryAfterMs: verdict.retryAfterMs,
    message: `Too many requests: the limit is ${verdict.limit}. Try again in ${seconds} s.`,
  });
}
