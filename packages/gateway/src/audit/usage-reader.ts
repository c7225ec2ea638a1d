/**
 * Usage of a month, counted from the record when somebody asks. A month that is over is counted once and remembered; one
 * count runs at a time, and reads so much and no more: what is larger is for `sallyport usage`, which has all the time.
 */

import { refuse } from '../model/failure.ts';
import type { AuditReader } from './audit-reader.ts';
import { createUsageCount, type UsageAsked, type UsageReport } from './usage.ts';

export interface UsageReader {
  /** @throws Refusal `overloaded`, `cancelled`, or `invalid-params` where there is too much to read */
  usage(asked: UsageAsked, signal: AbortSignal): Promise<UsageReport>;
}

export type UsageReaderOptions = {
  readonly reader: Pick<AuditReader, 'lines'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Characters of records of one month. */
  readonly maxChars?: number;
  readonly maxRemembered?: number;
};

/** Calls that began in a month may end in the next, and clocks differ. */
const SETTLED_AFTER_MS = 24 * 3_600_000;

export function createUsageReader(options: UsageReaderOptions): UsageReader {
  const { reader, now, maxChars = 1024 * 1024 * 1024, maxRemembered = 48 } = options;
  const remembered = new Map<string, UsageReport>();
  let counting = false;
  return {
    async usage(asked, signal) {
      const { month, by, tenant } = asked;
      const key = JSON.stringify([month.name, by, tenant ?? null]);
      const known = remembered.get(key);
      if (known !== undefined) return known;
      if (counting) {
        const message = 'Usage is being counted for somebody else. Try again shortly.';
        throw refuse('overloaded', { message, retryAfterMs: 2_000 });
      }
      counting = true;
      try {
        const report = await count(asked, signal);
        if (now() < month.untilMs + SETTLED_AFTER_MS) return report;
        const [oldest] = remembered.keys();
        if (remembered.size >= maxRemembered && oldest !== undefined) remembered.delete(oldest);
        remembered.set(key, report);
        return report;
      } finally {
        counting = false;
      }
    },
  };

  async function count(asked: UsageAsked, signal: AbortSignal): Promise<UsageReport> {
    const usage = createUsageCount(asked);
    let chars = 0;
    for await (const line of reader.lines(asked.month)) {
      if (signal.aborted) throw refuse('cancelled');
      chars += line.length;
      if (chars > maxChars) throw refuse('invalid-params', { message: tooMuch(asked) });
      usage.take(line);
    }
    return usage.report();
  }
}

const tooMuch = ({ month }: UsageAsked): string =>
  `The record of ${month.name} is too large to be counted over the API. Type: sallyport usage --month ${month.name}`;
