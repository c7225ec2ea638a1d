/**
 * How a call went, step by step and attempt by attempt, in microseconds from its arrival. Attempts stand in every record.
 * Steps cost 1.2 us, a fifth of what a record may cost, so they stand where somebody will ask for them: in records of
 * calls that were refused, failed or were slow.
 */

import type { AttemptFact, EnteredStep, ReachedUpstream } from '../model/trail.ts';
import { quote } from './ascii-json.ts';
import type { AuditEvent } from './audit-log.ts';

/** Slower calls tell which step took the time. */
export const SLOW_MS = 250;
/** A call that waited for its approval and began anew takes some steps twice. */
const MAX_STEPS = 32;
const MAX_ATTEMPTS = 16;

/** `"steps":["authenticate",12,"resolve",31,…]`: each with the microsecond in which it began. */
export function steps({ steps: entered, request, outcome, durationMs }: AuditEvent): string {
  if (entered === undefined || entered.length === 0) return '';
  if (outcome === 'ok' && durationMs < SLOW_MS) return '';
  let text = '';
  for (let index = 0; index < entered.length && index < MAX_STEPS; index++) {
    const { step, atMs } = entered[index] ?? NOWHERE;
    text += `,"${step}",${sinceMs(atMs, request.startedMs)}`;
  }
  return `,"steps":[${text.slice(1)}]`;
}

const NOWHERE: EnteredStep = { step: 'authenticate', atMs: 0 };

/** In which step it ended. */
export const stage = ({ steps: entered }: AuditEvent): string => {
  const last = entered?.at(-1);
  return last === undefined ? '' : `,"stage":"${last.step}"`;
};

/** Empty for what never came as far as a server. `attempted` stands beside a list that does not hold them all. */
export function attempts({ attempts: ended, attempted = 0, request }: AuditEvent): string {
  if (attempted === 0 || ended === undefined) return '';
  let text = '';
  for (let index = 0; index < ended.length && index < MAX_ATTEMPTS; index++) {
    const one = ended[index];
    if (one !== undefined) text += `,${attempt(one, request.startedMs)}`;
  }
  const more = attempted > ended.length ? `,"attempted":${attempted}` : '';
  return `,"attempts":[${text.slice(1)}]${more}`;
}

const attempt = ({ startedMs, endedMs, outcome, credential, upstream }: AttemptFact, fromMs: number): string =>
  `{"at_us":${sinceMs(startedMs, fromMs)},"us":${sinceMs(endedMs, startedMs)},"outcome":"${outcome}"` +
  `${credential === undefined ? '' : `,"credential":"${credential}"`}${upstream === undefined ? '' : reached(upstream)}}`;

const sinceMs = (atMs: number, fromMs: number): number => Math.max(0, Math.round((atMs - fromMs) * 1000));

/** One text for as long as the upstream lives. */
const upstreams = new WeakMap<ReachedUpstream, string>();

function reached(upstream: ReachedUpstream): string {
  const known = upstreams.get(upstream);
  if (known !== undefined) return known;
  const { revision, transport } = upstream;
  const name = upstream.name === undefined ? '' : `,"name":${quote(upstream.name, 256)}`;
  const version = upstream.version === undefined ? '' : `,"version":${quote(upstream.version, 256)}`;
  const text = `,"upstream":{"revision":"${revision}","transport":"${transport}"${name}${version}}`;
  upstreams.set(upstream, text);
  return text;
}
