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

const idLine = (id: string | undefined): string => (id === undefined ? '' : `id: ${id}\n`);

/** The event of a message that is text already. `id` names it for a client that comes back. */
export const sseText = (json: string, id?: string): string =>
  `${idLine(id)}${START}${json.replaceAll(/[\r\n]/g, ' ')}${END}`;

/** The first event of a stream that can be resumed: nothing but where the client stands, and how long to wait (MCP 2025-11-25). */
export const ssePriming = (id: string, retryMs: number): string => `${idLine(id)}retry: ${retryMs}\ndata: ${END}`;

/** The event of a message in pieces. Its chunks and `rest` are written in order, as those of the message itself would be. */
export function encodeSseEvent(message: EncodedMessage, id?: string): EncodedMessage {
  const start = `${idLine(id)}${START}`;
  const chunks = message.chunks.map(pieceOnOneLine);
  if (message.rest !== undefined) return { chunks: [start, ...chunks], rest: restOnOneLine(message.rest) };
  return { chunks: [start, ...chunks, END] };
}
