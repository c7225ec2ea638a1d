/**
 * Messages that wait for no answer: notifications, refusals of what a server asked, the end of a session. Bounded in number
 * and time, because a server can provoke some of them.
 */

import type { ExchangeController, ExchangeHandler } from '../../egress/egress.ts';
import { GIVEN_UP } from './exchange-failures.ts';
import { post, request } from './http-endpoint.ts';
import type { HttpEndpoint } from './http-endpoint.ts';

const MAX_IN_FLIGHT = 32;
/** Waiting for one of those places: a thousand calls may be cancelled at once. */
const MAX_QUEUED = 8192;
const TIMEOUT_MS = 5000;
const MAX_DROPPED_BYTES = 64 * 1024;

/** The status, or undefined when none came in time. */
type Done = (status: number | undefined) => void;

function awaitStatus(endpoint: HttpEndpoint, done: Done): ExchangeHandler {
  let running: ExchangeController | undefined;
  let isOver = false;
  let status: number | undefined;
  let dropped = 0;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    cancel();
    done(status);
  };
  const cancel = endpoint.clock.after(TIMEOUT_MS, () => {
    finish();
    running?.abort(GIVEN_UP);
  });
  return {
    onRequestStart(controller) {
      running = controller;
      if (isOver) controller.abort(GIVEN_UP);
    },
    onResponseStart(_controller, responseStatus) {
      if (responseStatus >= 200) status = responseStatus;
    },
    onResponseData(controller, piece) {
      dropped += piece.length;
      if (dropped > MAX_DROPPED_BYTES) controller.abort(GIVEN_UP);
    },
    onResponseEnd: finish,
    onResponseError: finish,
  };
}

export interface SideMessages {
  /** Resolves with the status of the answer. Undefined: none came, or too many messages are under way. */
  post(body: string): Promise<number | undefined>;
  /** Tells the server that the session is over. */
  delete(): Promise<number | undefined>;
}

/** `sessionHeaders` are those of the session: its id, its revision. */
export function createSideMessages(endpoint: HttpEndpoint, sessionHeaders: readonly string[]): SideMessages {
  let inFlight = 0;
  const queue: (() => void)[] = [];
  const send = (start: (handler: ExchangeHandler) => void): Promise<number | undefined> =>
    new Promise((resolve) => {
      const begin = (): void => {
        inFlight += 1;
        const handler = awaitStatus(endpoint, (status) => {
          inFlight -= 1;
          resolve(status);
          queue.shift()?.();
        });
        start(handler);
      };
      if (inFlight < MAX_IN_FLIGHT) begin();
      else if (queue.length < MAX_QUEUED) queue.push(begin);
      else resolve(undefined);
    });
  return {
    post: (body) => send((handler) => post(endpoint, { extra: sessionHeaders, byName: {}, body }, handler)),
    delete: () =>
      send((handler) =>
        request(endpoint, { method: 'DELETE', headers: endpoint.headers.concat(sessionHeaders) }, handler),
      ),
  };
}
