/** Answers what is not even HTTP: node hands us the socket, and no request or response. */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { failure } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import { refusalCodec } from './arrival.ts';
import type { EntrypointParts } from './parts.ts';

type HttpFault = { readonly status: string; readonly failure: Failure };

const faultOf = (error: NodeJS.ErrnoException): HttpFault => {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: '431 Request Header Fields Too Large',
        failure: failure('invalid-request', { message: 'The headers are larger than the gateway accepts.' }),
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: '408 Request Timeout',
        failure: failure('body-timeout', { message: 'The request did not arrive in time.' }),
      };
    default:
      return {
        status: '400 Bad Request',
        failure: failure('invalid-request', { message: 'The request is not valid HTTP/1.1.' }),
      };
  }
};

/** There is no channel yet that an answer could be written to. */
const isHandshakeFault = ({ code = '' }: NodeJS.ErrnoException): boolean =>
  code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO';

/** Empty when the peer is gone already. */
const addressOn = (socket: Duplex): string => (socket instanceof Socket ? (socket.remoteAddress ?? '') : '');

/** One answer, and the end of the connection: where the next request would begin cannot be known. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex, parts: EntrypointParts): void {
  if (isHandshakeFault(error)) {
    parts.logger.info({ reason: error.code }, 'a TLS handshake failed');
    const address = addressOn(socket);
    parts.note({ kind: 'refused-early', stage: 'connection', code: 'tls-handshake-failed', address });
    socket.destroy();
    return;
  }
  const response = parts.answering.get(socket);
  // In the middle of an answer a second one would be read as part of the first.
  const answering = response !== undefined && response.headersSent && !response.writableFinished;
  if (error.code === 'ECONNRESET' || !socket.writable || answering) {
    socket.destroy();
    return;
  }
  const fault = faultOf(error);
  const id = parts.newId();
  parts.instruments.refused(fault.failure.code);
  const { code } = fault.failure;
  parts.note({ kind: 'refused-early', stage: 'connection', code, address: addressOn(socket), requestId: id });
  parts.logger.info({ requestId: id, outcome: fault.failure.code, reason: error.code }, 'refused at the door');
  const { body } = refusalCodec().encodeFailure(fault.failure, { id: null, requestId: id });
  const text = body.chunks.map((chunk) => (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())).join('');
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${fault.status}\r\n${headers}\r\n\r\n${text}`);
}
