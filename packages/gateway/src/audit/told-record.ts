/** One line of an audit file as a person asks about it: who, what, with which outcome, because of which policy. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

export const RECORD_KINDS = [
  'call',
  'authentication',
  'session',
  'administration',
  'approval',
  'refusal',
  'writer',
  'other',
] as const;

/** What a record is about. `refusal`: of what was refused before anyone knew what it asked for. `other`: written by a version of the product that knows more kinds. */
export type RecordKind = (typeof RECORD_KINDS)[number];

export type ToldRecord = {
  readonly sequence: number;
  readonly timeMs: number;
  readonly kind: RecordKind;
  /** `intent`: a call was about to be made; its outcome, where there is one, follows. Others are the writer's own. */
  readonly event: string;
  readonly who: string;
  readonly tenant: string;
  /** What the client calls itself, and the OAuth client that its token was issued to. */
  readonly client: string;
  readonly clientId: string;
  /** The agent's run and its purpose, as the client claims. */
  readonly run: string;
  readonly purpose: string;
  /** `tools/call`; of what happens beside calls `authenticate`, `key/revoke`; empty for what the writer says of itself. */
  readonly operation: string;
  /** `server/tool`, or what else it was about. */
  readonly target: string;
  readonly server: string;
  readonly decision: 'allowed' | 'denied' | '';
  readonly policies: readonly string[];
  /** Why it was denied where no policy did: none allowed it, or one could not be evaluated. */
  readonly because: string;
  /** Who approved the call, where somebody had to. */
  readonly approvers: readonly string[];
  /** `ok`, `tool_error`, `input_required`, or the code of the failure. */
  readonly outcome: string;
  /** Whose fault a failure was, roughly: `refused` is the caller's. */
  readonly result: string;
  readonly durationMs: number | undefined;
  /** More than one: so many alike were counted instead of recorded one by one. */
  readonly count: number;
  readonly requestId: string;
  /** Of an outcome: the intent that was recorded before the call. */
  readonly intentSequence: number | undefined;
};

/** Undefined when the line is no record. Never throws: a file may have been tampered with. */
export function toldRecord(line: string): ToldRecord | undefined {
  const parsed = parseRecord(line);
  return parsed === undefined ? undefined : toldOf(parsed);
}

/** The record as JSON. Undefined when the line is none. */
export function parseRecord(line: string): JsonObject | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(parsed)) return undefined;
  const { sequence } = objectOf(parsed.metadata);
  return typeof sequence === 'number' && typeof parsed.time === 'number' ? parsed : undefined;
}

export function toldOf(record: JsonObject): ToldRecord {
  const metadata = objectOf(record.metadata);
  const unmapped = objectOf(record.unmapped);
  const api = objectOf(record.api);
  const claimed = objectOf(unmapped.claimed);
  const authorizations = listOf(objectOf(record.actor).authorizations);
  const result = textOf(unmapped.outcome);
  const service = textOf(objectOf(api.service ?? record.service).name);
  const event = textOf(unmapped.event);
  const decision = decisionOf(authorizations);
  const policies = authorizations.map((one) => textOf(objectOf(objectOf(one).policy).uid)).filter((uid) => uid !== '');
  return {
    sequence: numberOf(metadata.sequence) ?? 0,
    timeMs: numberOf(record.time) ?? 0,
    kind: kindOf(event, record.class_uid),
    event,
    who: whoOf(objectOf(record.actor)),
    tenant: textOf(metadata.tenant_uid),
    client: textOf(claimed.client_name),
    clientId: textOf(objectOf(record.ai_agent).uid),
    run: textOf(claimed.run),
    purpose: textOf(claimed.purpose),
    operation: textOf(api.operation) || textOf(unmapped.operation),
    target: textOf(objectOf(listOf(record.resources)[0]).uid) || textOf(objectOf(record.entity).name) || service,
    server: service,
    decision,
    policies,
    because: decision === 'denied' && policies.length === 0 ? becauseOf(unmapped) : '',
    approvers: approversOf(objectOf(unmapped.approval)),
    outcome: textOf(record.status_code) || result,
    result,
    durationMs: numberOf(record.duration),
    count: numberOf(record.count) ?? 1,
    requestId: textOf(objectOf(api.request).uid) || textOf(metadata.correlation_uid),
    intentSequence: numberOf(unmapped.intent_sequence),
  };
}

const KINDS: Readonly<Record<string, RecordKind>> = {
  intent: 'call',
  outcome: 'call',
  approval: 'approval',
  authentication: 'authentication',
  session: 'session',
  change: 'administration',
  'refused-early': 'refusal',
};

/** OCSF Application Lifecycle: the writer's own. */
const WRITER_CLASS = 6002;

const kindOf = (event: string, classUid: Json | undefined): RecordKind =>
  KINDS[event] ?? (classUid === WRITER_CLASS || event === 'opened' ? 'writer' : 'other');

function whoOf({ user, app_name: application }: JsonObject): string {
  const { name, uid } = objectOf(user);
  return textOf(name) || textOf(uid) || textOf(application);
}

function decisionOf(authorizations: readonly Json[]): ToldRecord['decision'] {
  const { decision } = objectOf(authorizations[0]);
  return decision === 'allowed' || decision === 'denied' ? decision : '';
}

const approversOf = ({ decisions }: JsonObject): readonly string[] =>
  listOf(decisions)
    .filter((one) => objectOf(one).verdict === 'approved')
    .map((one) => textOf(objectOf(one).by));

function becauseOf({ policy_errors: errors, withheld }: JsonObject): string {
  if (listOf(errors).length > 0) return 'a policy could not be evaluated';
  if (listOf(withheld).length > 0) return 'no policy allows it to a workload alone';
  return 'no policy allows it';
}

const NOTHING: JsonObject = Object.freeze({});
export const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : NOTHING);
export const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
export const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
export const numberOf = (value: Json | undefined): number | undefined =>
  typeof value === 'number' ? value : undefined;
