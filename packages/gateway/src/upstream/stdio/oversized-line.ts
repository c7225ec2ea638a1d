/** Whose answer was a line that was too long to keep? Told from what remains of it. */

import { scanEnvelope } from '../../protocol/envelope.ts';
import { readUpstreamAnswer } from '../../protocol/upstream-answer.ts';
import { findIdAtEnd } from './large-answer.ts';
import type { OversizedLine } from './line-splitter.ts';

async function* nothing(): AsyncIterable<Uint8Array> {}

/** The id of the response, when it is one of ours and stands in the first or the last bytes. */
export function identifyOversized(line: OversizedLine): number | undefined {
  // As of a legacy server, because only the id is asked for.
  const scan = scanEnvelope(line.head, { era: 'legacy', complete: false });
  if (scan.kind === 'not-json-rpc') return undefined;
  if (scan.kind === 'need-more') return findIdAtEnd(line.tail)?.id;
  const answer = readUpstreamAnswer({ era: 'legacy', head: line.head, envelope: scan.envelope, rest: nothing() });
  return answer?.kind === 'response' && typeof answer.id === 'number' ? answer.id : undefined;
}
