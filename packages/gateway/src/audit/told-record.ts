/** One line of an audit file as a person asks about it: who, what, with which outcome, because of which policy. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

export type ToldRecord = {
  readonly sequence: number;
  readonly timeMs: number;
  /** `intent`: a call was about to be made; its outcome, where there is one, follows. Others are the writer's own. */
  readonly event: string;
  readonly who: string;
  readonly tenant: string;
  /** `tools/call`; of what happens beside calls `authenticate`, `key/revoke`; empty for what the writer says of itself. */
  readonly operation: string;
  /** `server/tool`, or what else it was about. */
  readonly target: string;
  readonly server: string;
  readonly decision: 'allowed' | 'denied' | '';
  readonly policies: readonly string[];
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
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(parsed)) return undefined;
  const metadata = objectOf(parsed.metadata);
  const unmapped = objectOf(parsed.unmapped);
  const { sequence } = metadata;
  if (typeof sequence !== 'number' || typeof parsed.time !== 'number') return undefined;
  const api = objectOf(parsed.api);
  const authorizations = listOf(objectOf(parsed.actor).authorizations);
  const result = textOf(unmapped.outcome);
  const service = textOf(objectOf(api.service ?? parsed.service).name);
  return {
    sequence,
    timeMs: parsed.time,
    event: textOf(unmapped.event),
    who: whoOf(objectOf(parsed.actor)),
    tenant: textOf(metadata.tenant_uid),
    operation: textOf(api.operation) || textOf(unmapped.operation),
    target: textOf(objectOf(listOf(parsed.resources)[0]).uid) || textOf(objectOf(parsed.entity).name) || service,
    server: service,
    decision: decisionOf(authorizations),
    policies: authorizations.map((one) => textOf(objectOf(objectOf(one).policy).uid)).filter((uid) => uid !== ''),
    outcome: textOf(parsed.status_code) || result,
    result,
    count: typeof parsed.count === 'number' ? parsed.count : 1,
    durationMs: typeof parsed.duration === 'number' ? parsed.duration : undefined,
    requestId: textOf(objectOf(api.request).uid) || textOf(metadata.correlation_uid),
    intentSequence: typeof unmapped.intent_sequence === 'number' ? unmapped.intent_sequence : undefined,
  };
}

function whoOf({ user, app_name: application }: JsonObject): string {
  const { name, uid } = objectOf(user);
  return textOf(name) || textOf(uid) || textOf(application);
}

function decisionOf(authorizations: readonly Json[]): ToldRecord['decision'] {
  const { decision } = objectOf(authorizations[0]);
  return decision === 'allowed' || decision === 'denied' ? decision : '';
}

const NOTHING: JsonObject = Object.freeze({});
const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : NOTHING);
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
