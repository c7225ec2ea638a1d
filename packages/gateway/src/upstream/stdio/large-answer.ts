/**
 * A large answer without a walk over all of its bytes, which would hold up everyone: 5 MB take 50 ms and more. Only its
 * first bytes are looked at, and its last ones, because the official SDK writes the id after the result.
 */

import type { Era } from '../../model/revision.ts';
import type { UpstreamAnswer } from '../../protocol/codec.ts';
import { scanEnvelope } from '../../protocol/envelope.ts';
import { readUpstreamAnswer } from '../../protocol/upstream-answer.ts';

/** Answers up to this size are read whole: about 1 ms. */
export const LARGE_BYTES = 128 * 1024;

const HEAD_BYTES = 64 * 1024;
const PIECE_BYTES = 256 * 1024;
/** Room for an id, `jsonrpc` and white space. */
const TAIL_BYTES = 256;

/**
 * At the very end of a JSON object, `,"id":7}` cannot be inside a string (the quote before `id` would be escaped) nor
 * nested (one brace closes, and it is the last).
 */
const ID_AT_END = /,\s*"id"\s*:\s*(\d{1,15})\s*(?=(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$)/;

export type IdAtEnd = { readonly id: number; readonly start: number; readonly end: number };

/** One of our ids, where it is the last or the last but one member; the span is that of comma, key and value. */
export function findIdAtEnd(bytes: Uint8Array): IdAtEnd | undefined {
  const offset = Math.max(0, bytes.length - TAIL_BYTES);
  const match = ID_AT_END.exec(
    Buffer.from(bytes.buffer, bytes.byteOffset + offset, bytes.length - offset).toString('latin1'),
  );
  if (match?.[1] === undefined) return undefined;
  const start = offset + match.index;
  return { id: Number(match[1]), start, end: start + match[0].length };
}

/**
 * The answer with its result open: the head, and the rest in pieces. The id is moved to the front where it stood at the
 * end. Undefined when the first and last bytes do not tell enough: then the line is to be read whole.
 */
export function openLargeAnswer(line: Uint8Array, era: Era): UpstreamAnswer | undefined {
  const atFront = openAnswer(era, line.subarray(0, HEAD_BYTES), pieces([line.subarray(HEAD_BYTES)]));
  if (atFront !== undefined) return atFront;
  const atEnd = findIdAtEnd(line);
  if (atEnd === undefined) return undefined;
  const brace = line.indexOf(0x7b);
  const head = Buffer.concat([Buffer.from(`{"id":${atEnd.id},`), line.subarray(brace + 1, HEAD_BYTES)]);
  const rest = [line.subarray(HEAD_BYTES, atEnd.start), line.subarray(atEnd.end)];
  return openAnswer(era, head, pieces(rest));
}

function openAnswer(era: Era, head: Uint8Array, rest: AsyncIterable<Uint8Array>): UpstreamAnswer | undefined {
  const scan = scanEnvelope(head, { era, complete: false });
  return scan.kind === 'found' ? readUpstreamAnswer({ era, head, envelope: scan.envelope, rest }) : undefined;
}

/** In pieces that a slow reader's socket takes one by one. */
async function* pieces(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    for (let start = 0; start < part.length; start += PIECE_BYTES) yield part.subarray(start, start + PIECE_BYTES);
  }
}
