/** Work that many wait for goes on when one of them leaves. */

import { refuse } from '../model/failure.ts';

/** @throws Refusal `cancelled` as soon as the signal is aborted. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // Nobody else may be there to hear of it.
    work.catch(() => undefined);
    return Promise.reject(refuse('cancelled'));
  }
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(refuse('cancelled'));
    signal.addEventListener('abort', abort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
