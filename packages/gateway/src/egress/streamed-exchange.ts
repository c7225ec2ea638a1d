/** One request whose answer is read as it arrives, never faster than its reader. */

import { Readable } from 'node:stream';

import type { EgressPolicy } from './address-guard.ts';
import type { Egress, EgressRequest, ExchangeController, ResponseHeaders } from './egress.ts';
import { toEgressError } from './egress-error.ts';

export type StreamedAnswer = {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** Leaving its iteration early, or destroying it, ends the exchange. */
  readonly body: Readable;
};

export type StreamedAttempt = EgressRequest & { readonly policy: EgressPolicy; readonly signal: AbortSignal };

/** Resolves when the headers have come. Rejects with an EgressError, which tells whether anything was sent. */
export function streamedExchange(
  dispatch: Egress['dispatch'],
  { policy, signal, ...request }: StreamedAttempt,
): Promise<StreamedAnswer> {
  return new Promise((resolve, reject) => {
    let controller: ExchangeController | undefined;
    let sent = false;
    const body = new Readable({
      read: () => controller?.resume(),
      destroy(error, done) {
        signal.removeEventListener('abort', abort);
        controller?.abort(error ?? new Error('nobody reads on'));
        done(error);
      },
    });
    // Whoever reads hears of it; before that, whoever waits for the headers.
    body.on('error', () => undefined);
    const abort = (): void => void body.destroy(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    dispatch(policy, request, {
      onRequestStart(started) {
        controller = started;
        sent = true;
        if (signal.aborted) started.abort(new Error('aborted'));
      },
      onResponseStart: (_controller, status, headers) => resolve({ status, headers, body }),
      onResponseData(running, piece) {
        if (!body.push(piece)) running.pause();
      },
      onResponseEnd() {
        controller = undefined;
        body.push(null);
      },
      onResponseError(_controller, error) {
        controller = undefined;
        const told = toEgressError(error, sent);
        reject(told);
        body.destroy(told);
      },
    });
  });
}
