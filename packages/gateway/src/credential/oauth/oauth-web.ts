/**
 * The way out to authorization servers. What a server or a document named may only be public and over https, unless the
 * operator said otherwise for its origin; redirects are not followed at all, so that nobody is led elsewhere by one.
 */

import { assertUrl, type EgressPolicy } from '../../egress/address-guard.ts';
import { EgressError } from '../../egress/egress-error.ts';
import type { WebFetch } from '../../egress/web-fetch.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { OAuthError } from './oauth-error.ts';

export type OAuthWeb = {
  /** Bounded in size and time. */
  readonly fetch: WebFetch;
  /** Who is answerable for a URL. */
  readonly policyOf: (url: string) => EgressPolicy;
};

/** A URL that came in a document or a header. @throws OAuthError `unsuitable` */
export function assertMayLeadTo({ policyOf }: OAuthWeb, what: string, url: unknown): string {
  if (typeof url !== 'string' || !URL.canParse(url)) throw new OAuthError('unsuitable', `${what} is not a URL`);
  try {
    assertUrl(policyOf(url), new URL(url));
    return url;
  } catch (cause) {
    throw new OAuthError('unsuitable', `${what} leads where it must not: ${messageOf(cause)}`, cause);
  }
}

/** @throws OAuthError with the status, or with what was wrong with the document */
export async function getJson(web: OAuthWeb, url: string, signal: AbortSignal): Promise<JsonObject> {
  assertMayLeadTo(web, 'its address', url);
  const response = await reached(
    web.fetch(url, { method: 'GET', headers: { accept: 'application/json' }, signal }),
    signal,
  );
  return readJson(response, [200]);
}

/** @throws OAuthError */
export async function postJson(web: OAuthWeb, url: string, body: JsonObject, signal: AbortSignal): Promise<JsonObject> {
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  const response = await reached(
    web.fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal }),
    signal,
  );
  return readJson(response, [200, 201]);
}

/** @throws OAuthError `unreachable`; what the signal was aborted with, if it was */
export async function reached<T>(request: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await request;
  } catch (error) {
    signal.throwIfAborted();
    throw new OAuthError('unreachable', messageOf(error), error);
  }
}

async function readJson(response: Response, statuses: readonly number[]): Promise<JsonObject> {
  if (!statuses.includes(response.status)) {
    const fault = response.status >= 500 ? 'unreachable' : 'unsuitable';
    throw new OAuthError(fault, `status ${response.status} instead of a document`);
  }
  let value: unknown;
  try {
    value = await response.json();
  } catch (cause) {
    throw new OAuthError('unsuitable', 'something that is not JSON', cause);
  }
  if (!isJsonObject(value)) throw new OAuthError('unsuitable', 'JSON that is no object');
  return value;
}

/** Messages of `egress` name hosts and codes; those of anything else are not repeated. */
export const messageOf = (error: unknown): string =>
  error instanceof EgressError || error instanceof OAuthError ? error.message : 'the exchange failed';
