/** `logging/setLevel` to a legacy server over HTTP. Whatever it answers, the calls that wanted it go on. */

import type { LogLevel } from '../../model/log-level.ts';
import { requestText } from '../../protocol/json-rpc.ts';
import { LogVerbosity, SET_LEVEL_TIMEOUT_MS } from '../log-verbosity.ts';
import { GIVEN_UP } from './exchange-failures.ts';
import { post, wholeExchange } from './http-endpoint.ts';
import type { HttpEndpoint } from './http-endpoint.ts';

/** `headers` are those of the session. */
export function httpVerbosity(endpoint: HttpEndpoint, headers: readonly string[]): LogVerbosity {
  let asked = 0;
  const setLevel = (level: LogLevel): Promise<void> => {
    asked += 1;
    // Calls have numbers.
    const body = requestText(`log-level-${asked}`, 'logging/setLevel', { level });
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        resolve();
      };
      const exchange = wholeExchange(endpoint, 'legacy', {
        answered: done,
        failed: done,
        notified: () => undefined,
        asked: () => undefined,
        restFinished: () => undefined,
      });
      const cancel = endpoint.clock.after(SET_LEVEL_TIMEOUT_MS, () => {
        done();
        exchange.abandon(GIVEN_UP);
      });
      post(endpoint, { extra: headers, byName: {}, body }, exchange);
    });
  };
  return new LogVerbosity({ clock: endpoint.clock, setLevel });
}
