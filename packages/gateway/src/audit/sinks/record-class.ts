/** Kinds of record that are kept for different times. Every record is of exactly one. */

import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { ACTIVITY } from '../activity.ts';

export const RECORD_CLASSES = [
  'calls',
  'reads',
  'authentication',
  'sessions',
  'refusals',
  'administration',
  'writer',
] as const;

export type RecordClass = (typeof RECORD_CLASSES)[number];

/** By `unmapped.event`. Whatever is not known here is kept as long as changes are: longest. */
const BY_EVENT: Readonly<Record<string, RecordClass>> = {
  authentication: 'authentication',
  session: 'sessions',
  'refused-early': 'refusals',
  change: 'administration',
  approval: 'administration',
};

const APPLICATION_LIFECYCLE = 6002;

/** Of a parsed record. */
export function recordClass(record: JsonObject): RecordClass {
  if (record.class_uid === APPLICATION_LIFECYCLE) return 'writer';
  const event = isJsonObject(record.unmapped) ? record.unmapped.event : undefined;
  // What was kept of a call's bodies belongs to the call.
  if (event === 'bodies') return 'calls';
  if (event === 'outcome' || event === 'intent') return record.activity_id === ACTIVITY.read ? 'reads' : 'calls';
  return (typeof event === 'string' ? BY_EVENT[event] : undefined) ?? 'administration';
}
