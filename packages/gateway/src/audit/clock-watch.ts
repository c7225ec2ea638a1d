/**
 * Does the clock of a record go back? Times are the word of the machine's clock, which somebody may set; the order of
 * records is that of their numbers, and is proved. An auditor is told, because a time range may then mean two things.
 */

import type { ReadLine } from './chain.ts';

export type ClockSteps = {
  readonly times: number;
  /** The largest step. */
  readonly backMs: number;
  /** The first record after that one. */
  readonly sequence: number;
};

/**
 * Records whose time is when they were written. An intent has the time at which its request came, which may have waited for a
 * person since; of what happens beside calls, several are counted together, and a command may have run long before.
 */
const WRITTEN_AT_ONCE = new Set(['outcome', 'opened', 'closed', 'overflow', 'replaced', 'retired']);

/** Records of calls that end together are written in an order of their own. */
const TOLERANCE_MS = 1000;

export function createClockWatch() {
  let latestMs = 0;
  let steps: ClockSteps | undefined;
  return {
    take({ timeMs, event, sequence }: Pick<ReadLine, 'timeMs' | 'event' | 'sequence'>): void {
      if (!WRITTEN_AT_ONCE.has(event)) return;
      const backMs = latestMs - timeMs;
      if (backMs <= TOLERANCE_MS) {
        latestMs = Math.max(latestMs, timeMs);
        return;
      }
      const times = (steps?.times ?? 0) + 1;
      steps = steps !== undefined && steps.backMs >= backMs ? { ...steps, times } : { times, backMs, sequence };
      latestMs = timeMs;
    },
    get steps(): ClockSteps | undefined {
      return steps;
    },
  };
}
