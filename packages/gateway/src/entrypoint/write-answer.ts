/** Writes a finished answer as an ordinary HTTP response. */

import type { ServerResponse } from 'node:http';

import type { EncodedAnswer } from '../protocol/codec.ts';
import { discard, pipe } from './response-body.ts';

export type WriteOptions = {
  /** Names and values in turn, beside those of the answer. */
  readonly headers: readonly string[];
  readonly writeTimeoutMs: number;
};

/** Resolves when the whole body was handed to the socket. A body whose end is here already gets its Content-Length. */
export async function writeAnswer(
  response: ServerResponse,
  answer: EncodedAnswer,
  options: WriteOptions,
): Promise<void> {
  const { body } = answer;
  if (response.destroyed || response.headersSent) return discard(body);
  const headers = ['Content-Type', 'application/json', ...options.headers];
  for (const name in answer.headers) headers.push(name, answer.headers[name] ?? '');
  if (body.rest !== undefined) {
    response.writeHead(answer.status, headers);
    await pipe(response, body, options.writeTimeoutMs);
    if (!response.destroyed) response.end();
    return;
  }
  const [only] = body.chunks;
  const whole = body.chunks.length === 1 && only !== undefined ? only : joined(body.chunks);
  headers.push('Content-Length', String(typeof whole === 'string' ? Buffer.byteLength(whole) : whole.length));
  response.writeHead(answer.status, headers);
  response.end(whole);
}

/** One buffer for a small answer costs less than several writes. */
function joined(chunks: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)));
}
