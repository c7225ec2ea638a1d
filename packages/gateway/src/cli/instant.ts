/** Instants as people type them: `90d` from now, `2027-01-31`, `2027-01-31T12:00:00Z`. */

import { err, ok } from '../model/result.ts';
import type { Result } from '../model/result.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

const FROM_NOW = /^(\d{1,6})([mhdwy])$/;
/** A date alone is its first instant in UTC. A time says in which zone it is meant. */
const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** Milliseconds since the epoch. The reason is a sentence without its subject. */
export function parseInstant(text: string, nowMs: number): Result<number, string> {
  const [, amount, unit = ''] = FROM_NOW.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (amount !== undefined && unitMs !== undefined) return ok(nowMs + Number(amount) * unitMs);
  const atMs = DATE.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  // February 31 is March 3 to Date.parse: what comes back has to be what was written.
  const real = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(atMs) || Number.isNaN(real.getTime()) || !real.toISOString().startsWith(text.slice(0, 10))) {
    return err('is no time. Write 30m, 12h, 90d, 2w or 1y from now, 2027-01-31, or 2027-01-31T12:00:00Z');
  }
  return ok(atMs);
}

/** `2027-01-31 12:00`, in UTC. */
export const instantText = (atMs: number): string => new Date(atMs).toISOString().slice(0, 16).replace('T', ' ');
