/**
 * A JSON-RPC message as one Server-Sent Event (WHATWG HTML, 9.2.5). A line break inside a JSON text can only be white space
 * between tokens; inside an event it would end the `data` line, so it is written as a space.
 */

import type { EncodedMessage } from './codec.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

const START = 'data: ';
const END = '\n\n';

function onOneLine(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(LINE_FEED) && !bytes.includes(CARRIAGE_RETURN)) return bytes;
  return bytes.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte));
}

const pieceOnOneLine = (piece: string | Uint8Array): string | Uint8Array =>
  typeof piece === 'string' ? piece.replaceAll(/[\r\n]/g, ' ') : onOneLine(piece);

async function* restOnOneLine(rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of rest) yield onOneLine(piece);
  yield new TextEncoder().encode(END);
}

/** The event of a message that is text already. */
export const sseText = (json: string): string => `${START}${json.replaceAll(/[\r\n]/g, ' ')}${END}`;

/** The event of a message in pieces. Its chunks and `rest` are written in order, as those of the message itself would be. */
export function encodeSseEvent(message: EncodedMessage): EncodedMessage {
  const chunks = message.chunks.map(pieceOnOneLine);
  if (message.rest !== undefined) return { chunks: [START, ...chunks], rest: restOnOneLine(message.rest) };
  return { chunks: [START, ...chunks, END] };
}
