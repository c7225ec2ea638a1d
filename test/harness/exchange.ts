/** One request whose answer is read piece by piece, or not at all: for tests of what happens in between. */

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

import type { HttpRequest } from './http.ts';

export type OpenExchange = {
  readonly response: IncomingMessage;
  /** Reads until `text` has come, and returns all that came so far. */
  readUntil(text: string): Promise<string>;
  /** Reads the rest, with a pause before each piece if told so; resolves to the number of bytes that came in all. */
  drain(pauseMs?: number): Promise<number>;
  /** Goes away. */
  leave(): void;
};

/** Resolves when the answer's headers have come; nothing of the body is read yet. */
export async function openExchange(url: string, { headers = {}, body }: HttpRequest): Promise<OpenExchange> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpRequest(url, { method: 'POST', headers, agent: false }, resolve);
  request.on('error', reject);
  request.end(body);
  const response = await promise;
  const pieces = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let text = '';
  let bytes = 0;
  return {
    response,
    async readUntil(wanted) {
      while (!text.includes(wanted)) {
        const { done, value } = await pieces.next();
        if (done === true) throw new Error(`the answer ended without ${wanted}: ${text.slice(0, 2000)}`);
        bytes += value.length;
        text += value.toString('latin1');
      }
      return text;
    },
    async drain(pauseMs = 0) {
      for (let piece = await pieces.next(); piece.done !== true; piece = await pieces.next()) {
        bytes += piece.value.length;
        if (pauseMs > 0) await pause(pauseMs);
      }
      return bytes;
    },
    leave: () => void request.destroy(),
  };
}

/** A request that its client gives up, once `leave` is called; what comes back is nobody's. */
export function abandonable(url: string, { headers = {}, body }: HttpRequest): { leave(): void } {
  const request = httpRequest(url, { method: 'POST', headers, agent: false }, (response) => response.resume());
  request.on('error', () => undefined);
  request.end(body);
  return { leave: () => void request.destroy() };
}
