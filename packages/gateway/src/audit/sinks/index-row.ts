/** What an index knows of one line of the record. */

import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { INTERRUPTED } from '../search.ts';
import { parseRecord, toldOf } from '../told-record.ts';
import type { IndexRow } from './audit-index.ts';
import { recordClass } from './record-class.ts';

/** An entry of a database's index has a page to fit into: two of these, four bytes a character, do. */
const MAX_CHARS = 256;

/** Undefined when the line is no record. Never throws. */
export function indexRow(line: string): IndexRow | undefined {
  const record = parseRecord(line);
  const uid = textAt(record?.metadata, 'uid');
  if (record === undefined || uid === '') return undefined;
  const told = toldOf(record);
  const attestation = Array.isArray(record.attestation_list) ? record.attestation_list[0] : undefined;
  const chain = textAt(attestation, 'chain_uid');
  const isIntent = told.event === 'intent';
  return {
    uid,
    authority: short(textAt(attestation, 'authority_uid')),
    chain,
    sequence: told.sequence,
    timeMs: Math.round(told.timeMs),
    class: recordClass(record),
    event: short(told.event),
    tenant: short(told.tenant),
    who: short(told.who),
    client: short(told.client),
    clientId: short(told.clientId),
    kind: told.kind,
    server: short(told.server),
    target: short(told.target),
    decision: told.decision,
    // As long as no outcome follows, this is how it is found.
    outcome: isIntent ? INTERRUPTED : short(told.outcome),
    result: short(told.result),
    requestId: short(told.requestId),
    runId: short(told.run),
    line,
    closes: told.intentSequence === undefined ? undefined : `${chain}-${told.intentSequence}`,
  };
}

function textAt(value: Json | undefined, key: keyof JsonObject): string {
  const found = isJsonObject(value) ? value[key] : undefined;
  return typeof found === 'string' ? found : '';
}

/** PostgreSQL takes neither NUL nor half a surrogate pair. */
const short = (text: string): string => text.slice(0, MAX_CHARS).toWellFormed().replaceAll('\0', '\uFFFD');
