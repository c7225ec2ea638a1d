/**
 * The record of a call in the shape of OCSF 1.9: API Activity (class 6003), profiles `ai_operation` and
 * `record_integrity`. Text in, text out: never a body, never a secret, and other people's words only as `diagnosis.ts`
 * lets them through. What OCSF has no field for stands under `unmapped`. `chain.ts` adds the attestation.
 *
 * Strings are put together by hand, because building the object and stringifying it costs three times as much per call.
 * They are handed over in pieces, because joining them into one string first costs as much as making them.
 */

import { FAILURES, type Failure } from '../model/failure.ts';
import { methodOf, type Operation } from '../model/operation.ts';
import type { Redactor } from '../model/redaction.ts';
import type { ApprovedRequest, InboundRequest } from '../model/request.ts';
import { ACTIVITY, argumentsOf, isReadOnly } from './activity.ts';
import { digestOf } from './argument-digest.ts';
import { asciiJson, quote } from './ascii-json.ts';
import type { AuditEvent } from './audit-log.ts';
import { diagnosis } from './diagnosis.ts';
import { readOf } from './reading-act.ts';
import { attempts, stage, steps } from './record-attempts.ts';
import { actor, approvalOf, opening, origin, place, reasons, resource } from './record-parts.ts';

const OCSF_VERSION = '1.9.0';

/** Where a record stands in its chain. */
export type Position = { readonly sequence: number; readonly uid: string };

/** What every record of one writer has in common. */
export type RecordContext = {
  /** `metadata.product` and what stands before it, made once. */
  readonly metadata: string;
  readonly version: string;
  /** For other people's words: a purpose, an error, a line of stderr. */
  readonly redactText: Redactor['text'];
};

/** Pieces of one record, in order; printable ASCII. The record ends before its attestation: a brace is still open. */
export type RecordText = readonly string[];

/** Where nobody redacts, other people's words are not recorded. */
const withhold: Redactor['text'] = () => ({ value: '[withheld]', rules: [] });

/** For the version of the product that writes. */
export function recordContext(version: string, redactText: Redactor['text'] = withhold): RecordContext {
  const product = asciiJson({ name: 'Sallyport', vendor_name: 'Sallyport', version });
  return {
    version,
    redactText,
    metadata: `,"metadata":{"version":"${OCSF_VERSION}","profiles":["ai_operation","record_integrity"],"product":${product}`,
  };
}

/** A finished request. */
export function outcomeRecord(event: AuditEvent, at: Position, context: RecordContext): RecordText {
  const { request, principal, entry, failure, decision } = event;
  const { operation } = request;
  // One clock reading per request is enough: its end is its start and how long it took.
  const endedMs = Math.round(request.receivedAtMs + event.durationMs);
  const severity = event.outcome === 'refused' || event.outcome === 'failed' ? 2 : 1;
  const requestId = quote(request.id);
  const opened = opening(isReadOnly(operation, entry) ? ACTIVITY.read : ACTIVITY.other, severity, endedMs);
  return [
    `${opened},"duration":${Math.max(0, Math.round(event.durationMs))}${status(event)}`,
    actor(principal, decision?.effect, decision?.grounds),
    resource(entry, request.endpoint),
    call(request, requestId, operation, responseOf(failure)),
    context.metadata,
    place(at, principal, requestId),
    happened(event, operation) + reasons(decision?.grounds) + attempts(event),
    steps(event) + diagnosis(event, context.redactText) + origin(request, principal, context.redactText),
  ];
}

/** What is this call's own, and opens `unmapped`. */
function happened(event: AuditEvent, operation: Operation): string {
  const { failure, cached } = event;
  let own = `,"unmapped":{"event":"outcome","outcome":"${event.outcome}"`;
  own += traceOf(event.request);
  if (event.intentSequence !== undefined) own += `,"intent_sequence":${event.intentSequence}`;
  // With an intent the digest stands there, written before the call left.
  else own += argumentDigest(operation);
  own += administrativeAct(operation);
  if (event.bodies === true) own += `,"bodies":"follow"`;
  if (event.resultBytes !== undefined) own += `,"result_bytes":${event.resultBytes}`;
  own += minutesSaved(event);
  if (event.resultDigest !== undefined) own += `,"result":"${event.resultDigest}"`;
  if (cached !== undefined) own += `,"cached":{"age_ms":${Math.max(0, Math.round(cached.ageMs))}}`;
  if (event.fallback !== undefined) own += `,"fallback":${quote(event.fallback)}`;
  if (failure !== undefined) own += `,"sent":"${failure.sent}"${stage(event)}`;
  if (failure?.reason !== undefined) own += `,"reason":${quote(failure.reason)}`;
  if (event.approval !== undefined) own += approvalOf(event.approval);
  return own;
}

/** As the tool's owner estimates at the time of the call: a later estimate does not rewrite what was saved. */
function minutesSaved({ outcome, entry, request }: AuditEvent): string {
  const minutes = entry?.traits.minutesSaved;
  if (minutes === undefined || outcome !== 'ok' || request.operation.kind !== 'call-tool') return '';
  return `,"minutes_saved":${minutes}`;
}

/** The intent to make a call: what is about to leave, for whom, to where, and which policies allow it. */
export function intentRecord(request: ApprovedRequest, at: Position, context: RecordContext): RecordText {
  const { permit } = request;
  const { operation, principal, grounds } = permit;
  const requestId = quote(request.id);
  const approval = request.approval === undefined ? '' : approvalOf(request.approval);
  return [
    `${opening(ACTIVITY.other, 1, Math.round(request.receivedAtMs))},"status_id":99,"status":"intended"`,
    actor(principal, 'allow', grounds),
    resource(permit.target.entries[0], request.endpoint),
    call(request, requestId, operation, ''),
    context.metadata,
    place(at, principal, requestId),
    `,"unmapped":{"event":"intent"${traceOf(request)}${argumentDigest(operation)}${administrativeAct(operation)}${approval}`,
    origin(request, principal, context.redactText),
  ];
}

/** Hexadecimal digits: checked when it was read, or made by us. */
const traceOf = ({ traceId }: Pick<InboundRequest, 'traceId'>): string =>
  traceId === undefined ? '' : `,"trace":{"uid":"${traceId}"}`;

const STATUS_IDS = { ok: 1, tool_error: 2, refused: 2, failed: 2, input_required: 99 } as const;

function status(event: AuditEvent): string {
  const id = STATUS_IDS[event.outcome];
  const name = id === 1 ? 'Success' : id === 2 ? 'Failure' : event.outcome;
  return `,"status_id":${id},"status":"${name}"${event.failure === undefined ? '' : `,"status_code":"${event.failure.code}"`}`;
}

function responseOf(failure: Failure | undefined): string {
  if (failure === undefined) return '';
  const code = failure.upstream?.code ?? FAILURES[failure.code].status;
  return `,"response":{"code":${Math.trunc(code)},"error":"${failure.code}"}`;
}

const call = (
  { client }: Pick<InboundRequest, 'client'>,
  requestId: string,
  operation: Operation,
  response: string,
): string =>
  `,"operation":${quote(methodOf(operation, client.era))},"request":{"uid":${requestId}}${response}}` +
  `,"src_endpoint":{"ip":${quote(client.address)}}`;

function argumentDigest(operation: Operation): string {
  const args = argumentsOf(operation);
  return args === undefined ? '' : `,"arguments":"${digestOf(args)}"`;
}

/** Which approval was read or decided, and how; how much was asked about access; what of the record was looked at. */
function administrativeAct(operation: Operation): string {
  if (operation.kind !== 'administer') return '';
  const { act } = operation;
  switch (act.name) {
    case 'askAccess':
    case 'askAccessOfOthers':
      return `,"questions":${act.questions.length}`;
    case 'readApprovals':
      return act.id === undefined ? '' : `,"approval":{"id":${quote(act.id)}}`;
    case 'decideApproval':
      return `,"approval":{"id":${quote(act.id)},"verdict":"${act.verdict}"}`;
    case 'revokeCredentials':
      return `,"revoke":${asciiJson({ user: act.user ?? 'all', server: act.server ?? 'all' })}`;
    case 'readAllTenants':
    case 'readAudit':
    case 'readAuditBodies':
    case 'readUsage':
    case 'readLive':
    case 'readCredentials':
      return `,"read":${asciiJson(readOf(act))}`;
  }
}
