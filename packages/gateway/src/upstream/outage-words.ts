/** What a caller reads when a server does not answer: for how long already, and what its operator advises. */

import type { Call } from '../model/call.ts';
import { failureMessage, type Failure } from '../model/failure.ts';

/** A shorter one is over before anyone has read of it. */
const MIN_OUTAGE_MS = 5_000;

/** @param outageMs Since the first call that was not served; 0 for none before this one. */
export function withOutage(failure: Failure, { entry }: Call, outageMs: number): Failure {
  const { onFailure } = entry.traits;
  const since = outageMs < MIN_OUTAGE_MS ? [] : [`${entry.server.id} has not answered for ${lasting(outageMs)}.`];
  const advice = onFailure?.kind === 'error' && onFailure.advice !== undefined ? [onFailure.advice] : [];
  if (since.length + advice.length === 0) return failure;
  return { ...failure, message: [failureMessage(failure), ...since, ...advice].join(' ') };
}

function lasting(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
