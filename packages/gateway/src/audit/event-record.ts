/**
 * What happens beside calls, in the shape of OCSF 1.9: Authentication (class 3002) for who proved who they are or failed to and
 * for sessions, Entity Management (3004) for changes of the gateway, API Activity (6003) for what was refused early. These are
 * rare beside calls, so they are built as objects. Every text that a stranger can choose has a bound here.
 */

import type {
  AuthenticationEvent,
  ChangeEvent,
  EventSource,
  GatewayEvent,
  PresentedKind,
  RefusalEvent,
  SessionEvent,
} from '../model/event.ts';
import { FAILURES } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { asciiJson } from './ascii-json.ts';
import type { RecordedEvent } from './event-log.ts';
import type { Position, RecordContext, RecordText } from './record.ts';

/** The record of one event, or of several alike. */
export function eventRecord(recorded: RecordedEvent, at: Position, context: RecordContext): RecordText {
  const { event, timeMs } = recorded;
  // One that was counted is no aggregate.
  const several = (recorded.several?.count ?? 1) > 1 ? recorded.several : undefined;
  const { class_uid: classUid, activity_id: activity, unmapped, ...fields } = shapeOf(event);
  const opening = asciiJson({
    class_uid: classUid,
    category_uid: Math.trunc(classUid / 1000),
    activity_id: activity,
    type_uid: classUid * 100 + activity,
    severity_id: severityOf(recorded),
    // Of an aggregate the start, as the schema wants it.
    time: Math.round(timeMs),
    ...(several && {
      count: several.count,
      start_time: Math.round(timeMs),
      end_time: Math.round(several.lastMs),
      duration: Math.max(0, Math.round(several.lastMs) - Math.round(timeMs)),
    }),
    ...fields,
  });
  const place = { uid: at.uid, sequence: at.sequence, ...belonging(event) };
  return [
    opening.slice(0, -1),
    context.metadata,
    `,${asciiJson(place).slice(1)}`,
    `,"unmapped":${asciiJson({ event: event.kind, ...unmapped })}`,
  ];
}

type Shape = JsonObject & { readonly class_uid: number; readonly activity_id: number; readonly unmapped: JsonObject };

function shapeOf(event: GatewayEvent): Shape {
  switch (event.kind) {
    case 'authentication':
      return authentication(event);
    case 'session':
      return session(event);
    case 'refused-early':
      return refusal(event);
    case 'change':
      return change(event);
  }
}

/** OCSF's words for the protocols it knows (`auth_protocol_id`); the rest by ours. */
const PROTOCOLS: Readonly<Record<PresentedKind, readonly [number, string]>> = {
  jwt: [6, 'OAUTH 2.0'],
  browser: [4, 'OpenID'],
  'api-key': [99, 'API key'],
  mtls: [99, 'X.509-SVID'],
  mesh: [99, 'X.509-SVID by a proxy'],
  bearer: [0, 'Unknown'],
};

function authentication(event: AuthenticationEvent): Shape {
  const { credential, principal, claimed, failure, session: opened } = event;
  const [protocolId, protocol] = PROTOCOLS[credential];
  const workload = principal?.workload;
  return {
    class_uid: 3002,
    activity_id: 1,
    ...statusOf(failure?.code, failure?.reason),
    ...who(principal),
    user: principal === undefined ? { name: 'unknown', type_id: 0 } : userOf(principal),
    auth_protocol_id: protocolId,
    auth_protocol: protocol,
    logon_type_id: 3,
    is_remote: true,
    ...(opened !== undefined && { session: { uid: short(opened) } }),
    ...from(event),
    unmapped: {
      operation: event.activity === 'log-in' ? 'log-in' : 'authenticate',
      outcome: outcomeOf(failure?.code),
      credential,
      ...(claimed !== undefined && Object.keys(claimed).length > 0 && { claimed: shortened(claimed) }),
      ...(workload !== undefined && { workload: { uid: short(workload.id), credential: workload.credential } }),
      ...(opened !== undefined && { session: short(opened) }),
    },
  };
}

/**
 * A log-out ends a log-on. A legacy client's session is no log-on (each of its requests presents a credential of its own), and
 * must not be counted as one: activity 99.
 */
function session(event: SessionEvent): Shape {
  const { of, change: what, why, principal, expiresAtMs } = event;
  const loggedOut = of === 'browser' && what === 'closed';
  const uid = short(event.session);
  return {
    class_uid: 3002,
    activity_id: loggedOut ? 2 : 99,
    ...(!loggedOut && { activity_name: `Session ${what}` }),
    ...statusOf(undefined),
    ...who(principal),
    user: userOf(principal),
    session: {
      uid,
      expiration_time: Math.round(expiresAtMs),
      is_remote: true,
      ...(why !== undefined && { expiration_reason: why }),
    },
    ...from(event),
    unmapped: {
      operation: `session/${what}`,
      outcome: 'ok',
      of,
      session: uid,
      ...(why !== undefined && { why }),
      credential: principal.credential.kind,
    },
  };
}

/**
 * API Activity and not HTTP Activity (4002): rules that watch for failed calls find these beside the others, with the same codes
 * at the same place, and of a connection that never spoke HTTP there would be no request to tell. No operation is known, so
 * `api.operation` is what was refused as: the HTTP method, or the handshake.
 */
function refusal(event: RefusalEvent): Shape {
  const { stage, code, method, requestId } = event;
  const status = code === 'tls-handshake-failed' ? undefined : FAILURES[code].status;
  return {
    class_uid: 6003,
    activity_id: 99,
    ...statusOf(code),
    actor: { app_name: 'unauthenticated' },
    api: {
      operation: short(method ?? (stage === 'connection' ? 'connect' : 'request'), MAX_METHOD_CHARS),
      ...from(event),
      ...(requestId !== undefined && { request: { uid: short(requestId) } }),
      response: { ...(status !== undefined && { code: status }), error: code },
    },
    src_endpoint: sourceOf(event),
    unmapped: { outcome: outcomeOf(code), stage },
  };
}

const ACTIVITIES = { create: 1, update: 3, delete: 4, activate: 10 } as const;

/** `type_id` of a managed entity: the schema knows policies, and calls the rest "other". */
const ENTITY_TYPES: Readonly<Record<ChangeEvent['entity']['type'], readonly [number, string]>> = {
  policy: [5, 'Policy'],
  'api-key': [99, 'API key'],
  bodies: [99, 'bodies'],
  certificate: [99, 'Certificate'],
  'trust-bundle': [99, 'Trust bundle'],
  configuration: [99, 'Configuration'],
  definition: [99, 'Definition'],
  grant: [99, 'Grant'],
  'grant-key': [99, 'Key of grants'],
};

function change(event: ChangeEvent): Shape {
  const { operation, activity, entity, by, refused, facts } = event;
  const { name, before, after } = entity;
  const [typeId, type] = ENTITY_TYPES[entity.type];
  const told = (version: string | undefined): JsonObject => ({
    name: short(name),
    type_id: typeId,
    type,
    ...(version !== undefined && { version: short(version) }),
    ...(typeId === 5 && { policy: { name: short(name), ...(version !== undefined && { version: short(version) }) } }),
  });
  return {
    class_uid: 3004,
    activity_id: ACTIVITIES[activity],
    ...statusOf(refused === undefined ? undefined : 'refused'),
    actor: { user: { name: short(by), type: by.startsWith('cli:') ? 'operator' : 'system' }, app_name: 'Sallyport' },
    entity: told(before ?? after),
    ...(activity === 'update' && after !== undefined && { updated_entity: told(after) }),
    unmapped: {
      operation,
      outcome: refused === undefined ? 'ok' : 'refused',
      ...(before !== undefined && { before: short(before) }),
      ...(after !== undefined && { after: short(after) }),
      ...(refused !== undefined && {
        problems: refused.slice(0, MAX_PROBLEMS).map((text) => short(text)),
        ...(refused.length > MAX_PROBLEMS && { more_problems: refused.length - MAX_PROBLEMS }),
      }),
      ...facts,
    },
  };
}

const MAX_CHARS = 300;
const MAX_METHOD_CHARS = 32;
const MAX_GROUPS = 32;
const MAX_PROBLEMS = 5;

const short = (text: string, maxChars = MAX_CHARS): string =>
  text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`;

const shortened = (texts: Readonly<Record<string, string>>): JsonObject =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, short(text)]));

/** Failed authentications matter more together than one by one, and a tool that changed its description more than either. */
function severityOf({ event, several }: RecordedEvent): number {
  if (event.kind === 'change') return event.alarming === true || event.refused !== undefined ? 3 : 1;
  const failed = event.kind === 'refused-early' || (event.kind === 'authentication' && event.failure !== undefined);
  return failed ? (several === undefined ? 2 : 3) : 1;
}

function statusOf(code: string | undefined, reason?: string): JsonObject {
  if (code === undefined) return { status_id: 1, status: 'Success' };
  const detail = reason === undefined ? {} : { status_detail: short(reason) };
  return { status_id: 2, status: 'Failure', status_code: code, ...detail };
}

/** As in the record of a call: whose fault it was, roughly. */
function outcomeOf(code: string | undefined): string {
  if (code === undefined) return 'ok';
  return Object.hasOwn(FAILURES, code) && FAULTS.get(code) !== 'caller' ? 'failed' : 'refused';
}

const FAULTS: ReadonlyMap<string, string> = new Map(Object.entries(FAILURES).map(([code, { fault }]) => [code, fault]));

function who(principal: Principal | undefined): JsonObject {
  if (principal === undefined) return { actor: { app_name: 'unauthenticated' } };
  const { clientId, issuer } = principal;
  return {
    ...(clientId !== undefined && { ai_agent: { uid: short(clientId), type_id: 0 } }),
    actor: { user: userOf(principal), idp: { uid: short(issuer) } },
  };
}

function userOf({ subject, name, kind, groups }: Principal): JsonObject {
  const named = groups.slice(0, MAX_GROUPS).map((group): Json => ({ name: short(group) }));
  return { uid: short(subject), name: short(name), type: kind, groups: named };
}

/** Which endpoint, and for authentications who asked: a call's records name both the same way. */
function from(event: EventSource & { readonly kind: string }): JsonObject {
  const { endpoint } = event;
  const name = endpoint === undefined ? 'Sallyport' : endpoint.kind === 'aggregate' ? '/mcp' : endpoint.server;
  const service = { service: { name } };
  return event.kind === 'refused-early' ? service : { ...service, src_endpoint: sourceOf(event) };
}

/** Where the address is not known any more, or there were more of them than were told apart, that is said. */
const sourceOf = ({ address }: EventSource): JsonObject =>
  address === '' ? { name: 'unknown or several' } : { ip: short(address) };

/** Tenant and request: what a record is looked up by. */
function belonging(event: GatewayEvent): JsonObject {
  const tenant = event.kind === 'change' ? event.tenant : 'principal' in event ? event.principal?.tenant : undefined;
  const request = event.kind === 'change' ? undefined : event.requestId;
  return {
    ...(tenant !== undefined && { tenant_uid: short(tenant) }),
    ...(request !== undefined && { correlation_uid: short(request) }),
  };
}
