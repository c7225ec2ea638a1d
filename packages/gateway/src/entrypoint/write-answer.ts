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
  const whole = joined(body.chunks);
  headers.push('Content-Length', String(whole.length));
  response.writeHead(answer.status, headers);
  // A string leaves together with the headers, in one write; latin1 is a character for each byte.
  if (whole.length <= ONE_WRITE_BYTES) response.end(whole.toString('latin1'), 'latin1');
  else response.end(whole);
}

const ONE_WRITE_BYTES = 16 * 1024;

/** One buffer for a small answer costs less than several writes. */
function joined(chunks: readonly (string | Uint8Array)[]): Buffer {
  const buffers = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : asBuffer(chunk)));
  const [only] = buffers;
  return buffers.length === 1 && only !== undefined ? only : Buffer.concat(buffers);
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
