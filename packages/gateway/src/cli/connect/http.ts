/** One request to the gateway and its answer as it arrives; whoever reads slowly slows the sender, and nothing is lost. */

import type { Egress, EgressRequest, ExchangeController, ResponseHeaders } from '../../egress/egress.ts';
import { toEgressError } from '../../egress/egress-error.ts';

export type Reply = {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** Errors with an EgressError when the answer breaks off. Cancelling it ends the exchange. */
  readonly body: ReadableStream<Uint8Array>;
};

export type Sent = Pick<EgressRequest, 'method' | 'body'> & { readonly headers: Readonly<Record<string, string>> };

/** Sends requests to one address. */
export type Send = (sent: Sent, signal: AbortSignal) => Promise<Reply>;

/** Rejects with an EgressError, or with the signal's reason. */
export function createSend(egress: Egress, url: URL): Send {
  return ({ method, body, headers }, signal) =>
    new Promise((resolve, reject) => {
      let running: ExchangeController | undefined;
      let into: ReadableStreamDefaultController<Uint8Array> | undefined;
      const abort = (): void => {
        const reason = signal.reason instanceof Error ? signal.reason : new Error('aborted');
        running?.abort(reason);
        reject(reason);
      };
      const settle = (): void => signal.removeEventListener('abort', abort);
      signal.addEventListener('abort', abort, { once: true });
      const request: EgressRequest = {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: [...Object.entries(headers).flat(), 'accept-encoding', 'identity'],
      };
      egress.dispatch('configured', body === undefined ? request : { ...request, body }, {
        onRequestStart(controller) {
          running = controller;
          if (signal.aborted) abort();
        },
        onResponseStart(controller, status, responseHeaders) {
          const stream = new ReadableStream<Uint8Array>({
            start: (streaming) => {
              into = streaming;
            },
            pull: () => controller.resume(),
            cancel: () => controller.abort(new Error('nobody reads on')),
          });
          resolve({ status, headers: responseHeaders, body: stream });
        },
        onResponseData(controller, piece) {
          into?.enqueue(piece);
          if ((into?.desiredSize ?? 1) <= 0) controller.pause();
        },
        onResponseEnd() {
          settle();
          into?.close();
        },
        onResponseError(_controller, error) {
          settle();
          const told = signal.aborted ? error : toEgressError(error, running !== undefined);
          if (into === undefined) reject(told);
          else into.error(told);
        },
      });
    });
}

/** The first value of a header. */
export function headerOf({ headers }: Pick<Reply, 'headers'>, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
