/** A calendar month in UTC, as usage is counted: `2026-11`. */

import { err, ok, type Result } from './result.ts';

export type Month = {
  readonly name: string;
  /** Milliseconds since the epoch; the end is the beginning of the next month. */
  readonly sinceMs: number;
  readonly untilMs: number;
};

/** The reason is a sentence without its subject. */
export function parseMonth(text: string): Result<Month, string> {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text) ?? [];
  if (year === undefined || month === undefined) return err('is no month. Write 2026-11');
  const index = Number(month) - 1;
  return ok({ name: text, sinceMs: Date.UTC(Number(year), index), untilMs: Date.UTC(Number(year), index + 1) });
}

export const monthOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 7);
