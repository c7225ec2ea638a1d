/** One request and its whole answer, bounded in size. For documents and tokens, never on the hot path. */

import type { EgressPolicy } from './address-guard.ts';
import type { Egress, EgressRequest, ExchangeController, ExchangeHandler, ResponseHeaders } from './egress.ts';
import { EgressError, toEgressError } from './egress-error.ts';

export type Answer = { readonly status: number; readonly headers: ResponseHeaders; readonly bytes: Buffer };

export type Attempt = Pick<EgressRequest, 'method' | 'headers' | 'body'> & {
  readonly url: URL;
  readonly policy: EgressPolicy;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
};

/** Rejects with the signal's reason when that ended it, else with an EgressError. */
export function exchange(dispatch: Egress['dispatch'], attempt: Attempt): Promise<Answer> {
  const { url, policy, maxBytes, signal, method, headers: sent, body } = attempt;
  return new Promise((resolve, reject) => {
    let controller: ExchangeController | undefined;
    let status = 0;
    let headers: ResponseHeaders = {};
    let size = 0;
    const pieces: Uint8Array[] = [];
    const abort = (): void => {
      const error = signal.reason instanceof Error ? signal.reason : new Error('aborted');
      controller?.abort(error);
      reject(error);
    };
    const settle = (): void => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort, { once: true });
    const handler: ExchangeHandler = {
      onRequestStart: (started) => {
        controller = started;
        if (signal.aborted) abort();
      },
      onResponseStart: (_controller, responseStatus, responseHeaders) => {
        status = responseStatus;
        headers = responseHeaders;
      },
      onResponseData: (running, piece) => {
        size += piece.length;
        if (size > maxBytes) {
          running.abort(new EgressError('unexpected-answer', `${url.host} answered with more than ${maxBytes} bytes`));
        } else {
          pieces.push(piece);
        }
      },
      onResponseEnd: () => {
        settle();
        resolve({ status, headers, bytes: Buffer.concat(pieces, size) });
      },
      onResponseError: (_controller, error) => {
        settle();
        reject(signal.aborted ? error : toEgressError(error, controller !== undefined));
      },
    };
    const request = { origin: url.origin, path: url.pathname + url.search, method, headers: sent };
    dispatch(policy, body === undefined ? request : { ...request, body }, handler);
  });
}
