/** A decision on an approval, whichever way it came: who, about what, and whether it counts. */

import { ACTIVITY } from './activity.ts';
import { asciiJson, quote } from './ascii-json.ts';
import type { ApprovalWord } from './audit-log.ts';
import type { Position, RecordContext, RecordText } from './record.ts';
import { actor, MAX_URI_CHARS, opening, place } from './record-parts.ts';

export function approvalRecord(word: ApprovalWord, at: Position, context: RecordContext): RecordText {
  const { by, approval, fault, verdict, how } = word;
  const { address, argumentsDigest, requestId, kind, risk, id, status: state, requestedBy } = approval;
  const counts =
    fault === undefined
      ? '"status_id":1,"status":"Success"'
      : `"status_id":2,"status":"Failure","status_code":"${fault}"`;
  const uid = quote(requestId);
  const [server = ''] = address.split('/', 1);
  const said = {
    event: 'approval',
    outcome: verdict,
    approval: { id, state, verdict, how, requested_by: requestedBy },
  };
  return [
    `${opening(ACTIVITY.other, fault === undefined ? 1 : 2, Math.round(word.timeMs))},${counts}`,
    actor(by),
    `,"resources":[{"type":"${kind}","uid":${quote(address, MAX_URI_CHARS)},"criticality":"${risk}"}]`,
    `,"api":{"service":{"name":${quote(server)}},"operation":"approvals/decide","request":{"uid":${uid}}}`,
    `,"src_endpoint":{"name":"${how}"}${context.metadata}`,
    place(at, by, uid),
    `,"unmapped":${asciiJson({ ...said, arguments: `sha256:${argumentsDigest}`, credential: by.credential.kind })}`,
  ];
}
