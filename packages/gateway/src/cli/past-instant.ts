/** Instants of the past as people type them: `2h` (so long ago), `2027-01-31`, `2027-01-31T09:00:00Z`. */

import { parsePeriodMs } from '../config/units.ts';
import { CommandError } from './command.ts';
import { EXIT } from './exit-code.ts';

/** Milliseconds since the epoch. @throws CommandError */
export function pastInstant(text: string, nowMs: number): number {
  const duration = parsePeriodMs(text);
  if (duration.ok) return nowMs - duration.value;
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date;
  const hint = 'Write how long ago (30m, 2h, 7d) or a date (2027-01-31, 2027-01-31T09:00:00Z).';
  throw new CommandError(`"${text}" is no time.`, EXIT.usage, hint);
}
