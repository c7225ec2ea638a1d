/** Reads a request body once, within a size and a time. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { FailureCode } from '../model/failure.ts';
import type { Result } from '../model/result.ts';
import { err, ok } from '../model/result.ts';

/** `cancelled`: the client went away before the body was complete, so there is nobody to answer. */
export type BodyFault = Extract<FailureCode, 'body-too-large' | 'body-timeout' | 'cancelled'>;

export type BodyOptions = {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly contentLength: number | undefined;
};

const EMPTY = Buffer.alloc(0);

/** The whole body. Never rejects. After a fault the rest of the body is still to be discarded: see `lingeringEnd`. */
export function readBody(request: IncomingMessage, options: BodyOptions): Promise<Result<Buffer, BodyFault>> {
  const { maxBytes, timeoutMs, contentLength } = options;
  if (contentLength !== undefined && contentLength > maxBytes) return Promise.resolve(err('body-too-large'));
  return new Promise((resolve) => {
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let size = 0;

    const settle = (result: Result<Buffer, BodyFault>): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) settle(err('body-too-large'));
      else if (first === undefined) first = chunk;
      else (more ??= [first]).push(chunk);
    };
    // Nearly every body is one chunk, and is then not copied.
    const onEnd = (): void => settle(ok(more === undefined ? (first ?? EMPTY) : Buffer.concat(more, size)));
    const onClose = (): void => settle(err('cancelled'));
    const timer = setTimeout(() => settle(err('body-timeout')), timeoutMs);
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

const LINGER_BYTES = 8 * 1024 * 1024;
const LINGER_MS = 2_000;

/**
 * Ends a response that was written before its request was read. Closing a socket with unread input resets it, and the
 * reset can overtake the answer (RFC 9112 section 9.6), so what still arrives is discarded for a bounded while. The
 * response must carry `Connection: close` and a Content-Length, and be written but not ended.
 */
export function lingeringEnd(request: IncomingMessage, response: ServerResponse): void {
  let left = LINGER_BYTES;
  const end = (): void => {
    clearTimeout(timer);
    request.off('data', onData).off('end', end).off('close', end).off('error', end);
    response.end();
  };
  const onData = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left <= 0) end();
  };
  const timer = setTimeout(end, LINGER_MS);
  request.on('data', onData).on('end', end).on('close', end).on('error', end).resume();
}
