/** A circuit breaker around each server. Once per attempt, so that a retry meets it, too. */

import type { Interceptor } from '../../model/call.ts';
import { failure, isOutage } from '../../model/failure.ts';
import type { Failure, FailureCode } from '../../model/failure.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { ServerId } from '../../model/target.ts';
import type { CircuitBreaker, Served } from './circuit-breaker.ts';

export type BreakerParts = {
  /** Undefined for a server without one. */
  readonly breakerOf: (server: ServerId) => CircuitBreaker | undefined;
};

export function breaker({ breakerOf }: BreakerParts): Interceptor {
  return (next) => async (call, options) => {
    const server = call.entry.server.id;
    const circuit = breakerOf(server);
    if (circuit === undefined) return next(call, options);
    const entered = circuit.enter();
    if (entered === undefined) return { kind: 'failed', failure: notAsked(server, circuit.pauseLeftMs) };
    let served: Served = 'neither';
    try {
      const outcome = await next(call, options);
      served = servedBy(outcome);
      return outcome;
    } finally {
      entered.leave(served);
    }
  };
}

/** What came from us, from the caller or from the caller's credential. */
const SAYS_NOTHING: ReadonlySet<FailureCode> = new Set([
  'cancelled',
  'draining',
  'overloaded',
  'upstream-refused',
  'needs-login',
  'internal',
]);

/** What a call says of the health of its server. */
export function servedBy(outcome: Outcome): Served {
  if (outcome.kind !== 'failed') return 'yes';
  if (isOutage(outcome.failure.code)) return 'no';
  return SAYS_NOTHING.has(outcome.failure.code) ? 'neither' : 'yes';
}

function notAsked(server: ServerId, pauseLeftMs: number): Failure {
  const retryAfterMs = Math.max(100, Math.ceil(pauseLeftMs));
  const message =
    `The server ${server} has failed too often in a row, so it is not asked at the moment. ` +
    `Try again in ${Math.ceil(retryAfterMs / 1000)} s.`;
  return failure('server-unavailable', { message, retryAfterMs });
}
