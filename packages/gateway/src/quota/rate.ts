/** Rates as operators write them: `600/minute`. */

import { err, ok, type Result } from '../model/result.ts';

export type Rate = { readonly count: number; readonly periodMs: number };

const PERIODS_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

const MAX_COUNT = 1_000_000_000;

/** A whole number of requests per `second`, `minute`, `hour` or `day`. The error says what is expected. */
export function parseRate(text: string): Result<Rate, string> {
  const match = /^\s*(\d{1,10})\s*\/\s*(second|minute|hour|day)\s*$/u.exec(text);
  const count = Number(match?.[1]);
  const unit = match?.[2];
  if (unit === undefined || !isUnit(unit) || count < 1 || count > MAX_COUNT) {
    return err(`"${text}" is not a rate. Write a whole number per second, minute, hour or day, such as 600/minute.`);
  }
  return ok({ count, periodMs: PERIODS_MS[unit] });
}

const isUnit = (text: string): text is keyof typeof PERIODS_MS => Object.hasOwn(PERIODS_MS, text);
