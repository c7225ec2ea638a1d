/** What stands behind the `?` of a request to read something. A word that is misspelt, or said twice, must not widen it. */

import type { AuditAsked, UsageBy } from '../../model/administration.ts';
import { parseMonth, type Month } from '../../model/month.ts';
import { err, ok, type Result } from '../../model/result.ts';

export type Wanted<Name extends string> = {
  readonly values: Partial<Readonly<Record<Name, string>>>;
  /** `tenants=all`: of everyone, which takes a permit of its own. */
  readonly allTenants: boolean;
};

const MAX_VALUE_CHARS = 500;

/** Only these names, each once. */
export function parseQuery<Name extends string>(target: string, names: readonly Name[]): Result<Wanted<Name>, string> {
  const start = target.indexOf('?');
  const values: Partial<Record<Name, string>> = {};
  let tenants: string | undefined;
  for (const [name, value] of new URLSearchParams(start === -1 ? '' : target.slice(start))) {
    const known = names.find((one) => one === name);
    if (known === undefined && name !== 'tenants') {
      return err(`There is no "${name.slice(0, 50)}" here; known are ${[...names, 'tenants'].join(', ')}.`);
    }
    if ((known === undefined ? tenants : values[known]) !== undefined) return err(`${name} is there twice.`);
    if (value === '') return err(`${name} is empty.`);
    if (value.length > (known === CURSOR ? MAX_CURSOR_CHARS : MAX_VALUE_CHARS)) return err(`${name} is too long.`);
    if (known === undefined) tenants = value;
    else values[known] = value;
  }
  if (tenants !== undefined && tenants !== 'all') return err('tenants can only be "all".');
  return ok({ values, allTenants: tenants === 'all' });
}

const CURSOR = 'after';
const MAX_CURSOR_CHARS = 8_192;

export const FILTERS = [
  'who',
  'tool',
  'server',
  'client',
  'run',
  'since',
  'until',
  'decision',
  'outcome',
  'request',
  'text',
] as const;

type Filter = (typeof FILTERS)[number];

export function parseFilters(values: Wanted<Filter>['values']): Result<AuditAsked, string> {
  const { since, until, decision, ...texts } = values;
  if (decision !== undefined && decision !== 'allowed' && decision !== 'denied') {
    return err('decision must be allowed or denied.');
  }
  const sinceMs = since === undefined ? undefined : instantOf(since);
  const untilMs = until === undefined ? undefined : instantOf(until);
  if (Number.isNaN(sinceMs) || Number.isNaN(untilMs)) {
    return err('since and until must be times: 2027-01-31, or 2027-01-31T09:00:00Z.');
  }
  const { who, tool, server, client, run, outcome, request, text } = texts;
  return ok({
    ...(who === undefined ? {} : { who }),
    ...(tool === undefined ? {} : { tool }),
    ...(server === undefined ? {} : { server }),
    ...(client === undefined ? {} : { client }),
    ...(run === undefined ? {} : { run }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(decision === undefined ? {} : { decision }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(request === undefined ? {} : { request }),
    ...(text === undefined ? {} : { text }),
  });
}

/** RFC 3339, or a date alone: its first instant in UTC. NaN for everything else. */
const instantOf = (text: string): number =>
  /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;

const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 100;

export function parseLimit(text: string | undefined): Result<number, string> {
  const limit = text === undefined ? DEFAULT_LIMIT : /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_LIMIT ? ok(limit) : err(`limit must be a number from 1 to ${MAX_LIMIT}.`);
}

export function parseUsage(values: Wanted<'month' | 'by'>['values']): Result<{ month: Month; by: UsageBy }, string> {
  const { month: text = '', by = 'server' } = values;
  const month = parseMonth(text);
  if (!month.ok) return err(`month ${month.error}.`);
  if (by !== 'server' && by !== 'tool' && by !== 'user') return err('by must be server, tool or user.');
  return ok({ month: month.value, by });
}
