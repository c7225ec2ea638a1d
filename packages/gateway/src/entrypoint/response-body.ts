/** Writes a message to a socket, chunk by chunk and never faster than the client reads. */

import type { ServerResponse } from 'node:http';

import type { EncodedMessage } from '../protocol/codec.ts';
import { passed } from './read-buffers.ts';

/**
 * Writes `message`; resolves when its last chunk was handed to the socket, or when the client is gone. When the upstream
 * breaks off in the middle, the connection is destroyed: a cut message must not look like a whole one.
 */
export async function pipe(response: ServerResponse, message: EncodedMessage, writeTimeoutMs: number): Promise<void> {
  for (const chunk of message.chunks) response.write(chunk);
  if (message.rest === undefined) return;
  try {
    // The body runs at least once, also for a client that is gone: an iterator that was never started would not learn
    // that it has ended, and nor would the upstream and the record behind it.
    for await (const chunk of message.rest) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await whenDrained(response, writeTimeoutMs);
      passed(chunk.length);
    }
  } catch {
    response.destroy();
  }
}

/** Lets go of a result that nobody will read. */
export async function discard(message: EncodedMessage): Promise<void> {
  if (message.rest === undefined) return;
  try {
    for await (const _ of message.rest) return;
  } catch {
    // The upstream broke off before we did.
  }
}

/** Resolves when the client has read on or is gone. One that reads nothing for `timeoutMs` is cut off. */
export function whenDrained(response: ServerResponse, timeoutMs: number): Promise<void> {
  if (!response.writableNeedDrain || response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      response.off('drain', done).off('close', done);
      resolve();
    };
    const timer = setTimeout(() => response.destroy(), timeoutMs);
    response.on('drain', done).on('close', done);
  });
}
