/** `fetch` for libraries that want one: small bodies both ways, no redirects followed, guarded like everything that leaves. */

import { assertUrl, type EgressPolicy } from './address-guard.ts';
import type { Egress } from './egress.ts';
import { EgressError, toEgressError } from './egress-error.ts';
import { exchange } from './exchange.ts';

export type WebFetchOptions = {
  /** Who is answerable for a URL. */
  readonly policyOf: (url: string) => EgressPolicy;
  readonly maxBytes: number;
  readonly timeoutMs: number;
};

export type WebFetchInit = {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A text, or a form. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
};

export type WebFetch = (url: string, init: WebFetchInit) => Promise<Response>;

/** Rejects with an EgressError. */
export function createWebFetch(egress: Egress, { policyOf, maxBytes, timeoutMs }: WebFetchOptions): WebFetch {
  const dispatch: Egress['dispatch'] = (policy, request, handler) => egress.dispatch(policy, request, handler);
  return async (text, { method, headers, body, signal: given }) => {
    const url = new URL(text);
    const policy = policyOf(text);
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = given === undefined ? timeout : AbortSignal.any([timeout, given]);
    try {
      assertUrl(policy, url);
      const answer = await exchange(dispatch, {
        url,
        policy,
        maxBytes,
        signal,
        method: methodOf(method),
        headers: [...Object.entries(headers).flat(), 'accept-encoding', 'identity'],
        ...(body === undefined || body === null ? {} : { body: textOf(body) }),
      });
      return responseOf(answer.status, answer.headers, answer.bytes);
    } catch (error) {
      if (timeout.aborted) throw new EgressError('timeout', `${url.host} did not answer within ${timeoutMs} ms`, error);
      throw toEgressError(error, false);
    }
  };
}

function methodOf(method: string): 'GET' | 'POST' {
  if (method === 'GET' || method === 'POST') return method;
  throw new EgressError('refused', `the method ${method} is not offered`);
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new EgressError('refused', 'only texts and forms are sent');
}

/** Statuses whose responses have no body by definition (Fetch, null body status). */
const BODILESS = new Set([204, 205, 304]);

function responseOf(status: number, headers: Readonly<Record<string, unknown>>, bytes: Buffer): Response {
  const list = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) if (typeof one === 'string') list.append(name, one);
  }
  return new Response(BODILESS.has(status) ? null : new Uint8Array(bytes), { status, headers: list });
}
