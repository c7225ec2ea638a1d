/**
 * Records as OpenTelemetry logs: OTLP/HTTP with JSON (opentelemetry-proto, `opentelemetry.proto.logs.v1`; the JSON mapping of
 * docs/specification.md: 64-bit integers as strings, ids in hexadecimal, enums as numbers). The body is the record as it
 * stands in the file, as a string: every collector and backend takes one, and what is searched for is in the attributes.
 */

import type { Egress } from '../../egress/egress.ts';
import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { encodeBatch } from './encode-batch.ts';
import type { FollowedRecord } from './followed-record.ts';
import { idempotencyKey } from './http-delivery.ts';
import { postTo, type HttpTarget } from './http-post.ts';
import type { Accepted, Delivery } from './remote-sink.ts';

export type OtlpSource = {
  readonly version: string;
  /** `service.instance.id`: which gateway. */
  readonly instance: string;
  readonly now: () => number;
};

export function createOtlpDelivery(egress: Egress, target: HttpTarget, source: OtlpSource): Delivery {
  const before = openingOf(source);
  return {
    async send(records, signal) {
      const observed = nanoseconds(source.now());
      const each = (record: FollowedRecord): string => JSON.stringify(logRecord(record, observed));
      const body = await encodeBatch(records, { before, each, between: ',', after: ']}]}]}' });
      const headers = [['idempotency-key', idempotencyKey(records)]] as const;
      return partialSuccess(await postTo(egress, target, { contentType: 'application/json', body, headers }, signal));
    },
  };
}

/** Everything before the first log record. */
function openingOf({ version, instance }: OtlpSource): string {
  const resource = {
    attributes: [
      attribute('service.name', 'sallyport'),
      attribute('service.version', version),
      attribute('service.instance.id', instance),
    ],
  };
  const scope = JSON.stringify({ name: 'sallyport.audit', version });
  return `{"resourceLogs":[{"resource":${JSON.stringify(resource)},"scopeLogs":[{"scope":${scope},"logRecords":[`;
}

/** OCSF's severity as a `SeverityNumber`: INFO, WARN, WARN2, ERROR, ERROR2, FATAL. */
const SEVERITIES = [0, 9, 13, 14, 17, 18, 21] as const;
const SEVERITY_WORDS = ['', 'Informational', 'Low', 'Medium', 'High', 'Critical', 'Fatal'] as const;

function logRecord({ line, timeMs, position }: FollowedRecord, observed: string): object {
  const facts = line.length > MAX_PARSED_CHARS ? {} : factsOf(line);
  const severity = typeof facts.severity_id === 'number' ? facts.severity_id : 0;
  const event = textAt(facts, 'unmapped', 'event');
  const traceId = textAt(facts, 'unmapped', 'trace', 'uid');
  return {
    timeUnixNano: nanoseconds(timeMs),
    observedTimeUnixNano: observed,
    severityNumber: SEVERITIES[severity] ?? 0,
    severityText: SEVERITY_WORDS[severity] ?? '',
    eventName: `sallyport.audit.${event === '' ? 'record' : event}`,
    body: { stringValue: line },
    attributes: [
      attribute('log.record.uid', position.uid),
      { key: 'sallyport.audit.sequence', value: { intValue: String(position.sequence) } },
      ...TEXTS.flatMap(([key, path]) => {
        const text = textAt(facts, ...path);
        return text === '' ? [] : [attribute(key, text)];
      }),
      ...(typeof facts.class_uid === 'number'
        ? [{ key: 'ocsf.class_uid', value: { intValue: String(facts.class_uid) } }]
        : []),
    ],
    ...(TRACE_ID.test(traceId) && { traceId }),
  };
}

/** A longer one would hold up the event loop: what is searched for is then in its body only. */
const MAX_PARSED_CHARS = 131_072;

function factsOf(line: string): JsonObject {
  const record: unknown = JSON.parse(line);
  return isJsonObject(record) ? record : {};
}

const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;

/** What is searched for and grouped by; the rest is in the body. */
const TEXTS: readonly (readonly [string, readonly string[]])[] = [
  ['event.name', ['unmapped', 'event']],
  ['sallyport.request.id', ['api', 'request', 'uid']],
  ['sallyport.outcome', ['unmapped', 'outcome']],
  ['sallyport.tenant', ['metadata', 'tenant_uid']],
  ['sallyport.server', ['api', 'service', 'name']],
  ['mcp.method.name', ['api', 'operation']],
  ['user.name', ['actor', 'user', 'name']],
  ['client.address', ['src_endpoint', 'ip']],
  ['error.type', ['status_code']],
];

function textAt(value: Json, ...path: readonly string[]): string {
  let at: Json | undefined = value;
  for (const step of path) at = isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return typeof at === 'string' ? at : '';
}

const attribute = (key: string, text: string): object => ({ key, value: { stringValue: text.toWellFormed() } });

const nanoseconds = (timeMs: number): string => `${Math.max(0, Math.round(timeMs))}000000`;

/**
 * `ExportLogsServiceResponse`. Records that were refused must not be sent again (docs/specification.md, Partial Success); a
 * message without a number is a warning. An answer that is no JSON comes from something in between: what counts is the status.
 */
export function partialSuccess(answer: string): Accepted {
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer);
  } catch {
    return undefined;
  }
  if (!isJsonObject(parsed)) return undefined;
  const partial = parsed.partialSuccess ?? parsed.partial_success;
  if (!isJsonObject(partial)) return undefined;
  const rejected = Number(partial.rejectedLogRecords ?? partial.rejected_log_records ?? 0);
  if (!Number.isSafeInteger(rejected) || rejected < 1) return undefined;
  const message = partial.errorMessage ?? partial.error_message;
  return {
    rejected,
    reason: typeof message === 'string' && message !== '' ? message.slice(0, 500) : 'no reason given',
  };
}
