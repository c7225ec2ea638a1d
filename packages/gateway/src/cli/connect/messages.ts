/** The messages in an answer, as texts of one line each: a JSON body is one, an event stream any number. */

import { createSseDecoder } from '../../protocol/sse.ts';
import { headerOf, type Reply } from './http.ts';

/** What a client must be able to take in one piece; a larger message ends the exchange. */
export const MAX_MESSAGE_BYTES = 64 * 1_048_576;

export type Messages = {
  /** @returns a promise when the reader is busy: nothing more is read until it is done. */
  readonly take: (text: string) => Promise<void> | void;
  /** The id of the newest event, and how long the sender wants a reader to wait before it comes back. */
  readonly position?: (at: { readonly lastEventId?: string; readonly retryMs?: number }) => void;
};

export class MessageTooLargeError extends Error {
  constructor() {
    super(`a message has more than ${MAX_MESSAGE_BYTES} bytes`);
    this.name = 'MessageTooLargeError';
  }
}

/** Reads the answer to its end. @throws MessageTooLargeError, or what broke the answer off */
export async function readMessages(reply: Reply, messages: Messages): Promise<void> {
  const type = headerOf(reply, 'content-type') ?? '';
  if (type.toLowerCase().startsWith('text/event-stream')) return readEvents(reply, messages);
  const text = await readText(reply);
  if (text.trim() !== '') await messages.take(oneLine(text));
}

/** @throws MessageTooLargeError, or what broke the answer off */
export async function readText(reply: Reply): Promise<string> {
  const body = collector();
  for await (const piece of reply.body) body.add(piece);
  return body.take();
}

async function readEvents(reply: Reply, { take, position }: Messages): Promise<void> {
  const data = collector();
  const ready: string[] = [];
  const decoder = createSseDecoder({
    data: (piece) => data.add(piece),
    end: ({ type, id }) => {
      const text = data.take();
      if (type === 'message' && text.trim() !== '') ready.push(oneLine(text));
      if (id !== undefined) position?.({ lastEventId: id });
    },
    retry: (retryMs) => position?.({ retryMs }),
  });
  for await (const piece of reply.body) {
    decoder.push(piece);
    for (const text of ready.splice(0)) await take(text);
  }
  decoder.finish();
  for (const text of ready.splice(0)) await take(text);
}

function collector() {
  let pieces: Uint8Array[] = [];
  let size = 0;
  return {
    add(piece: Uint8Array): void {
      size += piece.length;
      if (size > MAX_MESSAGE_BYTES) throw new MessageTooLargeError();
      pieces.push(piece);
    },
    take(): string {
      const text = Buffer.concat(pieces, size).toString('utf8');
      pieces = [];
      size = 0;
      return text;
    },
  };
}

/** On stdio a line is a message. Inside JSON's strings a line break cannot stand, so those found are between tokens. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ');
