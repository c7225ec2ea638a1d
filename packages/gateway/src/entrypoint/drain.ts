/** The orderly end of a listener: what runs may finish for a while, then it is cancelled, then it is cut off. */

import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import type { EntrypointParts } from './parts.ts';

/** How many requests are being received or answered. */
export type OpenRequests = {
  count: number;
  /** Called when the count comes to zero. */
  whenIdle: (() => void) | undefined;
  /** While requests are waited for: waits no longer than so many milliseconds from now. */
  shorten: ((ms: number) => void) | undefined;
};

const SWEEP_MS = 25;
const LAST_WORDS_MS = 250;

/** Resolves when no connection is left. */
export async function drain(
  server: Server,
  { openStreams, openCalls, openQuestions }: EntrypointParts,
  requests: OpenRequests,
  graceMs: number,
): Promise<void> {
  // Also called back, with an error, when it never listened.
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // An answer that began before now did not say that its connection would close.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  for (const end of openStreams) end();
  // An answer would be a new request, and those are refused from now on.
  openQuestions.endAll();
  await untilIdle(requests, graceMs);
  for (const call of openCalls) call.abort();
  // Cancelled calls answer at once, if they answer at all; a request that was on its way gets its 503.
  await Promise.race([closed, delay(LAST_WORDS_MS)]);
  clearInterval(sweep);
  server.closeAllConnections();
  await closed;
}

function untilIdle(requests: OpenRequests, graceMs: number): Promise<void> {
  if (requests.count === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timers: NodeJS.Timeout[] = [];
    const end = (): void => {
      for (const timer of timers) clearTimeout(timer);
      requests.shorten = undefined;
      resolve();
    };
    requests.whenIdle = end;
    requests.shorten = (ms) => void timers.push(setTimeout(end, ms));
    requests.shorten(graceMs);
  });
}
