/** Whose answer was a line that was too long to keep? Told from what remains of it. */

import { scanEnvelope } from '../../protocol/envelope.ts';
import { readUpstreamAnswer } from '../../protocol/upstream-answer.ts';
import type { OversizedLine } from './line-splitter.ts';

async function* nothing(): AsyncIterable<Uint8Array> {}

/**
 * The official SDK writes the id after the result. At the very end of a JSON object, `,"id":7}` cannot be inside a string
 * (the quote before `id` would be escaped) nor nested (one brace closes, and it is the last).
 */
const ID_AT_END = /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** Room for an id, `jsonrpc` and white space. */
const MAX_ID_BYTES = 256;

/** The id of the response, when it is one of ours and stands in the first or the last bytes. */
export function identifyOversized(line: OversizedLine): number | undefined {
  // As of a legacy server, because only the id is asked for.
  const scan = scanEnvelope(line.head, { era: 'legacy', complete: false });
  if (scan.kind === 'found') {
    const answer = readUpstreamAnswer({ era: 'legacy', head: line.head, envelope: scan.envelope, rest: nothing() });
    return answer?.kind === 'response' && typeof answer.id === 'number' ? answer.id : undefined;
  }
  if (scan.kind === 'not-json-rpc') return undefined;
  const atEnd = ID_AT_END.exec(Buffer.from(line.tail.subarray(-MAX_ID_BYTES)).toString('latin1'));
  return atEnd?.[1] === undefined ? undefined : Number(atEnd[1]);
}
