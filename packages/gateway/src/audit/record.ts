/**
 * The record in the shape of OCSF 1.9: API Activity (class 6003) for calls, Application Lifecycle (6002) for the writer's
 * own start and stop; profiles `ai_operation` and `record_integrity`. Text in, text out: never a body, never a secret,
 * never an upstream's words. What OCSF has no field for stands under `unmapped`. `chain.ts` adds the attestation.
 *
 * Strings are put together by hand, because building the object and stringifying it costs three times as much per call.
 * They are handed over in pieces, because joining them into one string first costs as much as making them.
 */

import type { Decision } from '../model/decision.ts';
import { FAILURES, type Failure } from '../model/failure.ts';
import { methodOf, type Operation } from '../model/operation.ts';
import type { Principal, Workload } from '../model/principal.ts';
import type { ApprovedRequest, InboundRequest } from '../model/request.ts';
import type { Endpoint, Entry } from '../model/target.ts';
import type { ApprovalFact } from '../model/trail.ts';
import { ACTIVITY, argumentsOf, isReadOnly } from './activity.ts';
import { digestOf } from './argument-digest.ts';
import { asciiJson, quote } from './ascii-json.ts';
import type { ApprovalWord, AuditEvent } from './audit-log.ts';
import { readOf } from './reading-act.ts';

const OCSF_VERSION = '1.9.0';
const MAX_GROUPS = 32;
const MAX_POLICIES = 16;
const MAX_POLICY_ERRORS = 4;
const MAX_URI_CHARS = 2048;

/** Where a record stands in its chain. */
export type Position = { readonly sequence: number; readonly uid: string };

/** What every record of one writer has in common. */
export type RecordContext = {
  /** `metadata.product` and what stands before it, made once. */
  readonly metadata: string;
  readonly version: string;
};

/** Pieces of one record, in order; printable ASCII. The record ends before its attestation: a brace is still open. */
export type RecordText = readonly string[];

/** For the version of the product that writes. */
export function recordContext(version: string): RecordContext {
  const product = asciiJson({ name: 'Sallyport', vendor_name: 'Sallyport', version });
  return {
    version,
    metadata: `,"metadata":{"version":"${OCSF_VERSION}","profiles":["ai_operation","record_integrity"],"product":${product}`,
  };
}

type Common = Pick<InboundRequest, 'id' | 'traceId' | 'endpoint' | 'client'>;

/** A finished request. */
export function outcomeRecord(event: AuditEvent, at: Position, context: RecordContext): RecordText {
  const { request, principal, entry, failure, decision } = event;
  const { operation } = request;
  // One clock reading per request is enough: its end is its start and how long it took.
  const endedMs = Math.round(request.receivedAtMs + event.durationMs);
  const severity = event.outcome === 'refused' || event.outcome === 'failed' ? 2 : 1;
  const opened = opening(isReadOnly(operation, entry) ? ACTIVITY.read : ACTIVITY.other, severity, endedMs);
  let own = `,"unmapped":{"event":"outcome","outcome":"${event.outcome}"`;
  if (event.intentSequence !== undefined) own += `,"intent_sequence":${event.intentSequence}`;
  // With an intent the digest stands there, written before the call left.
  else own += argumentDigest(operation);
  own += administrativeAct(operation);
  if (event.bodies === true) own += `,"bodies":"follow"`;
  if (event.resultBytes !== undefined) own += `,"result_bytes":${event.resultBytes}`;
  own += minutesSaved(event);
  if (failure !== undefined) own += `,"sent":"${failure.sent}"`;
  if (failure?.reason !== undefined) own += `,"reason":${quote(failure.reason)}`;
  if (event.approval !== undefined) own += approvalOf(event.approval);
  return [
    `${opened},"duration":${Math.max(0, Math.round(event.durationMs))}${status(event)}`,
    actor(principal),
    authorizations(decision),
    resource(entry, request.endpoint),
    call(request, operation, responseOf(failure)),
    context.metadata,
    place(at, principal, request.id),
    own + policyErrors(decision) + observedOf(decision),
    origin(request, principal),
  ];
}

/** As the tool's owner estimates at the time of the call: a later estimate does not rewrite what was saved. */
function minutesSaved({ outcome, entry, request }: AuditEvent): string {
  const minutes = entry?.traits.minutesSaved;
  if (minutes === undefined || outcome !== 'ok' || request.operation.kind !== 'call-tool') return '';
  return `,"minutes_saved":${minutes}`;
}

/** The intent to make a call: what is about to leave, for whom, to where. */
export function intentRecord(request: ApprovedRequest, at: Position, context: RecordContext): RecordText {
  const { permit } = request;
  const { operation, principal } = permit;
  return [
    `${opening(ACTIVITY.other, 1, Math.round(request.receivedAtMs))},"status_id":99,"status":"intended"`,
    actor(principal),
    authorizations(undefined),
    resource(permit.target.entries[0], request.endpoint),
    call(request, operation, ''),
    context.metadata,
    place(at, principal, request.id),
    `,"unmapped":{"event":"intent"${argumentDigest(operation)}${administrativeAct(operation)}${request.approval === undefined ? '' : approvalOf(request.approval)}`,
    origin(request, principal),
  ];
}

const MAX_NEEDS = 16;

function approvalOf({ id, state, decisions }: ApprovalFact): string {
  const said = decisions
    .slice(0, MAX_NEEDS)
    .map(
      ({ by, issuer, need, how, verdict }) =>
        `{"by":${quote(by)},"issuer":${quote(issuer)},"need":${quote(need)},"how":"${how}","verdict":"${verdict}"}`,
    );
  return `,"approval":{"id":${quote(id)},"state":"${state}","decisions":[${said.join(',')}]}`;
}

/** A decision on an approval, whichever way it came: who, about what, and whether it counts. */
export function approvalRecord(word: ApprovalWord, at: Position, context: RecordContext): RecordText {
  const { by, approval, fault, verdict, how } = word;
  const { address, argumentsDigest, requestId, kind, risk, id, status: state, requestedBy } = approval;
  const counts =
    fault === undefined
      ? '"status_id":1,"status":"Success"'
      : `"status_id":2,"status":"Failure","status_code":"${fault}"`;
  const [server = ''] = address.split('/', 1);
  const said = {
    event: 'approval',
    outcome: verdict,
    approval: { id, state, verdict, how, requested_by: requestedBy },
  };
  return [
    `${opening(ACTIVITY.other, fault === undefined ? 1 : 2, Math.round(word.timeMs))},${counts}`,
    `${actor(by)}}`,
    `,"resources":[{"type":"${kind}","uid":${quote(address, MAX_URI_CHARS)},"criticality":"${risk}"}]`,
    `,"api":{"service":{"name":${quote(server)}},"operation":"approvals/decide","request":{"uid":${quote(requestId)}}}`,
    `,"src_endpoint":{"name":"${how}"}${context.metadata}`,
    place(at, by, requestId),
    `,"unmapped":${asciiJson({ ...said, arguments: `sha256:${argumentsDigest}`, credential: by.credential.kind })}`,
  ];
}

/** What a writer says of itself; `facts` are its own words, small and free of secrets. */
export type LifecycleEvent = {
  readonly event: 'opened' | 'closed' | 'overflow' | 'replaced' | 'retired';
  readonly timeMs: number;
  readonly facts: Readonly<Record<string, string | number>>;
};

/** OCSF Application Lifecycle, `activity_id`. */
const LIFECYCLE_ACTIVITY = { opened: 3, closed: 4, overflow: 99, replaced: 99, retired: 99 } as const;
const LIFECYCLE_SEVERITY = { opened: 1, closed: 1, overflow: 4, replaced: 4, retired: 1 } as const;

/**
 * The start or stop of a writer, how many records it could not hold while its disk refused them, that its file was taken
 * away under it, or which old files it deleted.
 */
export function lifecycleRecord(event: LifecycleEvent, at: Position, context: RecordContext): RecordText {
  const activity = LIFECYCLE_ACTIVITY[event.event];
  return [
    `{"class_uid":6002,"category_uid":6,"activity_id":${activity},"type_uid":${600_200 + activity}`,
    `,"severity_id":${LIFECYCLE_SEVERITY[event.event]},"time":${Math.round(event.timeMs)}`,
    `,"app":${asciiJson({ name: 'Sallyport', version: context.version })}${context.metadata}`,
    place(at, undefined, undefined),
    `,"unmapped":${asciiJson({ event: event.event, ...event.facts })}`,
  ];
}

const opening = (activity: number, severity: number, timeMs: number): string =>
  `{"class_uid":6003,"category_uid":6,"activity_id":${activity},"type_uid":${600_300 + activity}` +
  `,"severity_id":${severity},"time":${timeMs}`;

const STATUS_IDS = { ok: 1, tool_error: 2, refused: 2, failed: 2, input_required: 99 } as const;

function status(event: AuditEvent): string {
  const id = STATUS_IDS[event.outcome];
  const name = id === 1 ? 'Success' : id === 2 ? 'Failure' : event.outcome;
  return `,"status_id":${id},"status":"${name}"${event.failure === undefined ? '' : `,"status_code":"${event.failure.code}"`}`;
}

/**
 * The parts of a record that its principal and its entry determine, kept as long as these live: without this every record
 * costs 0.8 us more.
 */
const actors = new WeakMap<Principal, string>();
const entries = new WeakMap<Entry, string>();

/** Who asked; the object stays open for `authorizations`. A caller without a valid credential is an actor, too. */
function actor(principal: Principal | undefined): string {
  if (principal === undefined) return `,"actor":{"app_name":"unauthenticated"`;
  const known = actors.get(principal);
  if (known !== undefined) return known;
  const names = principal.groups.slice(0, MAX_GROUPS).map((name) => `{"name":${quote(name)}}`);
  const text =
    `${agent(principal)},"actor":{"user":{"uid":${quote(principal.subject)},"name":${quote(principal.name)}` +
    `,"type":"${principal.kind}","groups":[${names.join(',')}]},"idp":{"uid":${quote(principal.issuer)}}`;
  actors.set(principal, text);
  return text;
}

/** The OAuth client: for a gateway, an agent's stable identity is the one its credential proves. */
const agent = (principal: Principal): string =>
  principal.clientId === undefined ? '' : `,"ai_agent":{"uid":${quote(principal.clientId)},"type_id":0}`;

/** Which policies answered, and closes the actor. */
function authorizations(decision: Decision | undefined): string {
  if (decision === undefined) return '}';
  const { policies, policyVersion } = decision.grounds;
  const verdict = decision.effect === 'allow' ? 'allowed' : 'denied';
  const version = quote(policyVersion);
  if (policies.length === 0) {
    return `,"authorizations":[{"decision":"${verdict}","policy":{"name":"default","version":${version}}}]}`;
  }
  let list = '';
  for (let index = 0; index < policies.length && index < MAX_POLICIES; index++) {
    const uid = quote(policies[index] ?? '');
    list += `${index === 0 ? '' : ','}{"decision":"${verdict}","policy":{"uid":${uid},"version":${version}}}`;
  }
  return `,"authorizations":[${list}]}`;
}

function policyErrors(decision: Decision | undefined): string {
  const errors = decision?.grounds.errors;
  if (errors === undefined || errors.length === 0) return '';
  return `,"policy_errors":[${errors
    .slice(0, MAX_POLICY_ERRORS)
    .map((text) => quote(text))
    .join(',')}]`;
}

/** What policies in observe mode would have changed. */
function observedOf(decision: Decision | undefined): string {
  const observed = decision?.grounds.observed;
  if (observed === undefined) return '';
  const { effect, policies, approvals } = observed;
  const list = (texts: readonly string[]): string =>
    texts
      .slice(0, MAX_POLICIES)
      .map((text) => quote(text))
      .join(',');
  return `,"observed":{"effect":"${effect}","policies":[${list(policies)}],"approvals":[${list(approvals)}]}`;
}

function responseOf(failure: Failure | undefined): string {
  if (failure === undefined) return '';
  const code = failure.upstream?.code ?? FAILURES[failure.code].status;
  return `,"response":{"code":${Math.trunc(code)},"error":"${failure.code}"}`;
}

/**
 * What was asked of, and opens `api`. The resource's `version` is the digest of the definition that was in force: which
 * of its shapes the caller was shown.
 */
function resource(entry: Entry | undefined, endpoint: Endpoint): string {
  if (entry === undefined) return `,"api":{"service":{"name":${quote(nameOf(endpoint))}}`;
  const known = entries.get(entry);
  if (known !== undefined) return known;
  const { server, traits } = entry;
  const uid = entry.kind === 'server' ? server.id : `${server.id}/${entry.name}`;
  const owner = server.owner === undefined ? '' : `,"owner":{"name":${quote(server.owner)}}`;
  const text =
    `,"resources":[{"type":"${entry.kind}","uid":${quote(uid, MAX_URI_CHARS)},"version":"sha256:${entry.hash}"` +
    `,"criticality":"${traits.risk}"${owner}}],"api":{"service":{"name":${quote(server.id)}` +
    `,"version":${quote(server.version)}}`;
  entries.set(entry, text);
  return text;
}

const nameOf = (endpoint: Endpoint): string => (endpoint.kind === 'aggregate' ? '/mcp' : endpoint.server);

const call = ({ client, id }: Common, operation: Operation, response: string): string =>
  `,"operation":${quote(methodOf(operation, client.era))},"request":{"uid":${quote(id)}}${response}}` +
  `,"src_endpoint":{"ip":${quote(client.address)}}`;

/** Where the record stands; closes `metadata`. */
function place(at: Position, principal: Principal | undefined, request: string | undefined): string {
  const tenant = principal === undefined ? '' : `,"tenant_uid":${quote(principal.tenant)}`;
  const correlation = request === undefined ? '' : `,"correlation_uid":${quote(request)}`;
  return `,"uid":${quote(at.uid)},"sequence":${at.sequence}${tenant}${correlation}}`;
}

/** How the caller speaks, and closes `unmapped`. What a client says of itself is marked as its claim: nobody checked it. */
function origin({ client, traceId }: Common, principal: Principal | undefined): string {
  // Hexadecimal digits: checked when it was read, or made by us.
  const trace = traceId === undefined ? '' : `,"trace":{"uid":"${traceId}"}`;
  const session = client.session === undefined ? '' : `,"session":${quote(client.session)}`;
  const credential = principal === undefined ? '' : `,"credential":"${principal.credential.kind}"`;
  const workload = principal?.workload === undefined ? '' : workloadOf(principal.workload);
  const { info } = client;
  const claimed =
    info === undefined ? '' : `,"claimed":{"client_name":${quote(info.name)},"client_version":${quote(info.version)}}`;
  return `,"revision":"${client.revision}"${session}${credential}${workload}${trace}${claimed}}`;
}

/** The program that the request came from, proved by its certificate: beside the user, or the actor itself. */
const workloadOf = ({ id, credential }: Workload): string =>
  `,"workload":{"uid":${quote(id, MAX_URI_CHARS)},"credential":"${credential}"}`;

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
    case 'readAllTenants':
    case 'readAudit':
    case 'readAuditBodies':
    case 'readUsage':
    case 'readLive':
      return `,"read":${asciiJson(readOf(act))}`;
  }
}
