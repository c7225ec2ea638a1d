/** What became of a call's bodies, as the record tells it: commitment, sizes, rules that took something out; never a body. */

import { asciiJson } from './ascii-json.ts';
import { ACTIVITY } from './activity.ts';
import type { BodiesWord, PartWord } from './bodies.ts';
import type { JsonObject } from '../model/json.ts';
import type { Position, RecordContext, RecordText } from './record.ts';

const MAX_RULES = 64;

export function bodiesRecord(word: BodiesWord, at: Position, context: RecordContext): RecordText {
  const { tool, principal, requestId, state } = word;
  const activity = ACTIVITY.other;
  const isLost = state === 'lost';
  const actor = {
    user: { uid: principal.subject, name: principal.name, type: principal.kind },
    idp: { uid: principal.issuer },
  };
  return [
    `{"class_uid":6003,"category_uid":6,"activity_id":${activity},"type_uid":${600_300 + activity}`,
    `,"severity_id":${isLost ? 3 : 1},"time":${Math.round(word.timeMs)}`,
    `,"status_id":${isLost ? 2 : 1},"status":"${isLost ? 'Failure' : 'Success'}"`,
    `,"actor":${asciiJson(actor)}`,
    `,"resources":[${asciiJson({ type: 'tool', uid: `${tool.server.id}/${tool.name}`, version: `sha256:${tool.hash}` })}]`,
    `,"api":${asciiJson({ service: { name: tool.server.id }, operation: 'audit/bodies', request: { uid: requestId } })}`,
    `,"src_endpoint":{"name":"gateway"}${context.metadata}`,
    `,"uid":"${at.uid}","sequence":${at.sequence},${asciiJson({ tenant_uid: principal.tenant, correlation_uid: requestId }).slice(1)}`,
    `,"unmapped":${asciiJson(saidOf(word))}`,
  ];
}

const saidOf = ({ state, because, commitment, arguments: args, result }: BodiesWord): JsonObject => ({
  event: 'bodies',
  outcome: state,
  ...(because === undefined ? {} : { reason: because }),
  ...(commitment === undefined ? {} : { commitment }),
  ...(args === undefined ? {} : { arguments_body: partOf(args) }),
  ...(result === undefined ? {} : { result_body: partOf(result) }),
});

const partOf = (part: PartWord): JsonObject =>
  'withheld' in part
    ? { withheld: part.withheld }
    : { bytes: part.bytes, cut: part.cut, redactions: part.rules.slice(0, MAX_RULES) };
