/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/), as it stands in a header or in `params._meta` (SEP-414). Clients
 * write it: what is not exactly right counts as absent.
 */

import type { JsonObject } from '../model/json.ts';

export type TraceContext = {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** 16 of them: the span of whoever sent it. */
  readonly spanId: string;
  readonly sampled: boolean;
  /** Other vendors' entries, to be passed on as they are. */
  readonly state?: string;
};

/** Version 00 ends there (section 3.2); what a later version adds follows after a dash (section 3.3). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const MAX_TRACEPARENT_CHARS = 256;

/** Section 3.3.1: at most 32 members, and 512 characters have to be passed on. Longer ones are dropped whole. */
const MAX_STATE_MEMBERS = 32;
const MAX_STATE_CHARS = 512;
const STATE_MEMBER =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

const SAMPLED = 0x01;

/** From a `traceparent` and the `tracestate` beside it. Undefined when the first is not valid; a bad second is left out. */
export function parseTraceContext(traceparent: unknown, tracestate?: unknown): TraceContext | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT_CHARS) return undefined;
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === '00' && rest !== undefined) return undefined;
  const context = { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
  const state = validState(tracestate);
  return state === undefined ? context : { ...context, state };
}

/** The context that a client sent in `_meta`, if it sent a valid one. */
export function contextOfMeta(vendor: JsonObject): TraceContext | undefined {
  const { traceparent } = vendor;
  return traceparent === undefined ? undefined : parseTraceContext(traceparent, vendor['tracestate']);
}

/** What the next one in line is told. */
export const traceparentOf = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-0${sampled ? SAMPLED : 0}`;

function validState(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_STATE_CHARS) return undefined;
  const members = value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  if (members.length === 0 || members.length > MAX_STATE_MEMBERS) return undefined;
  return members.every((member) => STATE_MEMBER.test(member)) ? members.join(',') : undefined;
}
