/** Gets one small JSON document: key sets, metadata. Bounded in size and time; every redirect is judged like a first URL. */

import { assertUrl } from './address-guard.ts';
import type { EgressPolicy } from './address-guard.ts';
import type { Egress, ResponseHeaders } from './egress.ts';
import { EgressError, toEgressError } from './egress-error.ts';
import { exchange, type Answer } from './exchange.ts';

export type FetchJsonOptions = {
  readonly policy: EgressPolicy;
  readonly maxBytes: number;
  /** For the whole fetch, redirects included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Default 0: a redirect is an error. */
  readonly maxRedirects?: number;
};

export type FetchedJson = {
  readonly body: unknown;
  /** Lower-case names: `cache-control` matters to some. */
  readonly headers: ResponseHeaders;
  /** Where the document was found, after redirects. */
  readonly url: string;
};

const HEADERS = ['accept', 'application/json', 'accept-encoding', 'identity'];

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

function redirectTarget(answer: Answer, from: URL): URL {
  const { location } = answer.headers;
  const target = typeof location === 'string' && URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (target === undefined) throw new EgressError('unexpected-answer', `${from.host} redirects to nowhere`);
  return target;
}

function parseAnswer(answer: Answer, url: URL): FetchedJson {
  if (answer.status !== 200) {
    throw new EgressError(
      'unexpected-answer',
      `${url.host} answered with status ${answer.status} instead of a document`,
    );
  }
  try {
    const body: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(answer.bytes));
    return { body, headers: answer.headers, url: url.href };
  } catch (cause) {
    throw new EgressError('unexpected-answer', `${url.host} answered with something that is not JSON`, cause);
  }
}

async function follow(dispatch: Egress['dispatch'], first: URL, options: FetchJsonOptions, signal: AbortSignal) {
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    assertUrl(options.policy, url);
    const { policy, maxBytes } = options;
    const answer = await exchange(dispatch, { url, policy, maxBytes, signal, method: 'GET', headers: [...HEADERS] });
    if (!isRedirect(answer.status)) return parseAnswer(answer, url);
    if (redirects >= (options.maxRedirects ?? 0)) {
      throw new EgressError(
        'unexpected-answer',
        `${url.host} redirects (status ${answer.status}), which is not followed`,
      );
    }
    url = redirectTarget(answer, url);
  }
}

/** @throws EgressError; `aborted` when `options.signal` did it. */
export async function fetchJson(
  dispatch: Egress['dispatch'],
  url: string | URL,
  options: FetchJsonOptions,
): Promise<FetchedJson> {
  if (!URL.canParse(url)) throw new EgressError('refused', 'the URL is not valid');
  const first = new URL(url);
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  try {
    signal.throwIfAborted();
    return await follow(dispatch, first, options, signal);
  } catch (error) {
    if (error instanceof EgressError) throw error;
    if (options.signal?.aborted === true) throw new EgressError('aborted', 'the fetch was given up', error);
    if (timeout.aborted) {
      throw new EgressError('timeout', `${first.host} did not answer within ${options.timeoutMs} ms`, error);
    }
    throw toEgressError(error, false);
  }
}
