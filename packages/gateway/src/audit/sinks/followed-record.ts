/** One line of the record as a sink is given it: the text as it stands in the file, and what it takes to deliver it. */

import { isJsonObject } from '../../model/json.ts';
import type { SinkPosition } from './sink-position.ts';

export type FollowedRecord = {
  readonly line: string;
  readonly timeMs: number;
  /** Of this record: saved once it was taken. */
  readonly position: SinkPosition;
};

export type Batch = {
  /** At least one, in the order of the chain. */
  readonly records: readonly FollowedRecord[];
  readonly bytes: number;
};

export type LineFacts = { readonly sequence: number; readonly uid: string; readonly timeMs: number };

/**
 * A record's number and id stand side by side. In the text of a string every quote has a backslash before it, so that
 * nothing a caller wrote can look like this.
 */
const PLACE = /,"uid":"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,200})","sequence":(\d{1,16})[,}]/;
/** All kinds of record open with numbers, the time among them. */
const TIME = /^\{(?:"[a-z_]+":\d+,)*"time":(\d{1,16}),/;

/** Without parsing the whole, which costs five times as much. Undefined when the line is no record. Never throws. */
export function lineFacts(line: string): LineFacts | undefined {
  if (!line.endsWith('}')) return undefined;
  const place = PLACE.exec(line);
  const time = TIME.exec(line);
  if (place === null || time === null) return parsedFacts(line);
  return factsOf(Number(place[2]), place[1], Number(time[1]));
}

function parsedFacts(line: string): LineFacts | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(parsed) || !isJsonObject(parsed.metadata)) return undefined;
  return factsOf(parsed.metadata.sequence, parsed.metadata.uid, parsed.time);
}

function factsOf(sequence: unknown, uid: unknown, timeMs: unknown): LineFacts | undefined {
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 1) return undefined;
  if (typeof uid !== 'string' || typeof timeMs !== 'number') return undefined;
  return { sequence, uid, timeMs };
}
