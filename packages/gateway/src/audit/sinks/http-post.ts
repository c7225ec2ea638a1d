/** One POST to a sink, and what its answer means for the records in it. */

import { gzip } from 'node:zlib';
import { promisify } from 'node:util';

import type { Egress } from '../../egress/egress.ts';
import { EgressError } from '../../egress/egress-error.ts';
import { exchange, type Answer } from '../../egress/exchange.ts';
import { DeliveryError } from './audit-sink.ts';

export type HttpTarget = {
  /** Both are asked for each request, so that a rotated secret is used without a restart. */
  readonly url: () => Promise<URL>;
  /** Names and values. */
  readonly headers: () => Promise<readonly (readonly [string, string])[]>;
  readonly compression: 'gzip' | 'none';
  /** For one request, the connection included. */
  readonly timeoutMs: number;
};

export type Post = {
  readonly contentType: string;
  readonly body: Buffer;
  readonly headers?: readonly (readonly [string, string])[];
};

/** Of an answer, which is about records and not with them. */
const MAX_ANSWER_BYTES = 65_536;

/** A larger or stranger one would be refused again: by halves, or alone. */
const REFUSED = new Set([400, 413, 422]);

const compress = promisify(gzip);

/** The body of a 2xx answer. @throws DeliveryError */
export async function postTo(egress: Egress, target: HttpTarget, post: Post, signal: AbortSignal): Promise<string> {
  const { timeoutMs, compression } = target;
  const url = await target.url();
  const own = await target.headers();
  const body = compression === 'gzip' ? await compress(post.body) : post.body;
  const named = [['content-type', post.contentType], ...(post.headers ?? []), ...own, ['accept-encoding', 'identity']];
  const headers = [...named, ...(compression === 'gzip' ? [['content-encoding', 'gzip']] : [])].flat();
  const timeout = AbortSignal.timeout(timeoutMs);
  let answer: Answer;
  try {
    answer = await exchange((policy, request, handler) => egress.dispatch(policy, request, handler), {
      url,
      policy: 'configured',
      maxBytes: MAX_ANSWER_BYTES,
      signal: AbortSignal.any([timeout, signal]),
      method: 'POST',
      headers,
      body,
    });
  } catch (cause) {
    if (timeout.aborted) throw new DeliveryError(`${url.host} did not answer within ${timeoutMs} ms`, { cause });
    const why = cause instanceof EgressError ? cause.message : String(cause);
    throw new DeliveryError(`${url.host}: ${why}`, { cause });
  }
  const { status } = answer;
  if (status >= 200 && status < 300) return answer.bytes.toString('utf8');
  throw new DeliveryError(`${url.host} answered with status ${status}${ADVICE[status] ?? ''}`, {
    refused: REFUSED.has(status),
    retryAfterMs: retryAfterMs(answer.headers['retry-after'], Date.now()),
  });
}

const ADVICE: Readonly<Record<number, string>> = {
  401: ': look at the credential under "headers"',
  403: ': look at the credential under "headers", and at what it may do there',
  404: ': look at the path of the URL',
};

/** RFC 9110 section 10.2.3: seconds, or a date. */
export function retryAfterMs(value: string | string[] | undefined, nowMs: number): number | undefined {
  const text = typeof value === 'string' ? value.trim() : '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
