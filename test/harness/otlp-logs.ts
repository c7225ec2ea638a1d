/** OTLP logs as a collector reads them: checked by the rules of the JSON mapping, and by the protocol's own definitions. */

import { spawnSync } from 'node:child_process';

export type OtlpRecord = { readonly body: string; readonly attributes: Readonly<Record<string, string>> };

type Value = { readonly stringValue?: string; readonly intValue?: string };
type Attribute = { readonly key: string; readonly value: Value };

const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  timeUnixNano: isNanoseconds,
  observedTimeUnixNano: isNanoseconds,
  severityNumber: (value) => typeof value === 'number' && value >= 0 && value <= 24,
  severityText: (value) => typeof value === 'string',
  eventName: (value) => typeof value === 'string' && value !== '',
  body: (value) => isValue(value),
  attributes: (value) => Array.isArray(value) && value.every(isAttribute),
  traceId: (value) => typeof value === 'string' && /^(?!0{32})[0-9a-f]{32}$/.test(value),
};

/** @throws when it breaks a rule of the JSON mapping */
export function readOtlpLogs(body: string): readonly OtlpRecord[] {
  const request = JSON.parse(body) as {
    resourceLogs: readonly {
      resource: { attributes: readonly Attribute[] };
      scopeLogs: readonly { scope: { name: string }; logRecords: readonly Record<string, unknown>[] }[];
    }[];
  };
  return request.resourceLogs.flatMap(({ resource, scopeLogs }) => {
    if (!resource.attributes.every(isAttribute)) throw new Error('the resource has an attribute that is none');
    return scopeLogs.flatMap(({ logRecords }) => logRecords.map(readRecord));
  });
}

function readRecord(record: Record<string, unknown>): OtlpRecord {
  for (const [name, value] of Object.entries(record)) {
    if (FIELDS[name]?.(value) !== true) throw new Error(`${name} breaks the JSON mapping: ${JSON.stringify(value)}`);
  }
  const attributes = record.attributes as readonly Attribute[];
  const names = attributes.map(({ key }) => key);
  if (new Set(names).size !== names.length) throw new Error(`an attribute stands twice: ${names.join(', ')}`);
  return {
    body: (record.body as Value).stringValue ?? '',
    attributes: Object.fromEntries(
      attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? '']),
    ),
  };
}

/** 64-bit integers are texts in JSON: a number would lose digits. */
function isNanoseconds(value: unknown): boolean {
  return typeof value === 'string' && /^[1-9]\d{18}$/.test(value);
}

function isAttribute(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'key' in value && 'value' in value && isValue(value.value);
}

function isValue(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return false;
  const [[kind, content] = []] = Object.entries(value);
  if (kind === 'stringValue') return typeof content === 'string' && content.isWellFormed();
  return kind === 'intValue' && typeof content === 'string' && /^-?\d+$/.test(content);
}

const PARSE = `
import json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
request = json_format.Parse(sys.stdin.read(), ExportLogsServiceRequest())
print(sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs))
`;

const probe = spawnSync('python3', [
  '-c',
  'import google.protobuf, opentelemetry.proto.collector.logs.v1.logs_service_pb2',
]);

/** Said once for each test file that would have needed it. */
export const NO_OTLP_PROTO =
  probe.status === 0
    ? undefined
    : 'the Python package opentelemetry-proto is not installed (pip install opentelemetry-proto)';
if (NO_OTLP_PROTO !== undefined)
  console.warn(`SKIPPED: OTLP by the definitions of the protocol, because ${NO_OTLP_PROTO}.`);

/** How many log records the protocol's own definitions find; strict about fields that it does not know. @throws when it is none */
export function countByProtocol(body: string): number {
  const { status, stdout, stderr } = spawnSync('python3', ['-c', PARSE], { input: body, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the protocol's definitions refuse it:\n${stderr}`);
  return Number(stdout);
}
