/** Something that is done again and again while the gateway runs, never twice at once. */

import { systemClock } from '../upstream/clock.ts';

export type Periodic = {
  readonly firstAfterMs: number;
  /** From the end of one run to the start of the next. */
  readonly everyMs: number;
  /** Must not throw: what goes wrong is its own matter to log. */
  readonly task: () => Promise<void>;
};

/** @returns what ends it; a run that has begun is not waited for. */
export function periodically({ firstAfterMs, everyMs, task }: Periodic): () => void {
  let closed = false;
  let cancel = (): void => undefined;
  const next = (delayMs: number): void => {
    cancel = systemClock.after(delayMs, () => {
      void task().finally(() => {
        if (!closed) next(everyMs);
      });
    });
  };
  next(firstAfterMs);
  return () => {
    closed = true;
    cancel();
  };
}
