/** The total time of a call, from the moment it leaves until its result is complete, a streamed one included. */

import { refuse } from '../../model/failure.ts';
import type { Call, Interceptor } from '../../model/call.ts';
import type { Clock } from '../clock.ts';
import { untilRead } from '../streamed-result.ts';

export type TimeoutOptions = {
  readonly clock: Clock;
  /** The operator's limit for the server of the call. The caller's own limit holds too, whichever is shorter. */
  readonly timeoutMsFor: (call: Call) => number;
};

/** Aborts the call with the Refusal `upstream-timeout` as its reason, which the upstream turns into the outcome. */
export function timeout({ clock, timeoutMsFor }: TimeoutOptions): Interceptor {
  return (next) => async (call, options) => {
    const timeoutMs = Math.min(options.timeoutMs, timeoutMsFor(call));
    const controller = new AbortController();
    const { signal } = options;
    const leave = (): void => controller.abort(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    const cancel = clock.after(timeoutMs, () => controller.abort(tooLate(call, timeoutMs)));
    const stop = (): void => {
      cancel();
      signal.removeEventListener('abort', leave);
    };
    try {
      const outcome = await next(call, {
        // Named, not spread: the options may be an object with getters.
        channel: options.channel,
        signal: controller.signal,
        timeoutMs,
        ...(options.answers === undefined ? undefined : { answers: options.answers }),
        ...(options.upstreamCursor === undefined ? undefined : { upstreamCursor: options.upstreamCursor }),
      });
      return untilRead(outcome, controller.signal, stop);
    } catch (error) {
      stop();
      throw error;
    }
  };
}

function tooLate(call: Call, timeoutMs: number): Error {
  const message = `The server ${call.entry.server.id} did not answer within ${timeoutMs} ms.`;
  return refuse('upstream-timeout', { sent: 'maybe', message });
}
