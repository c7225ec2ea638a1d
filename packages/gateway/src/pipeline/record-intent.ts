/** Step 8: for what is not read-only, the intent is durable before anything leaves. */

import type { AuditLog } from '../audit/audit-log.ts';
import type { ApprovedRequest, ReadyRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';

export async function recordIntent(request: ApprovedRequest, audit: AuditLog, trail: Trail): Promise<ReadyRequest> {
  const intent = await audit.intend(request);
  const sequence = audit.sequenceOf(intent);
  if (sequence !== undefined) trail.note({ kind: 'intended', sequence });
  return { ...request, intent };
}
