/** SPIFFE ids, as section 2 of the SPIFFE-ID specification has them. Pure. */

import { err, ok, type Result } from '../model/result.ts';
import { quoted } from './refused.ts';

export type SpiffeId = { readonly id: string; readonly trustDomain: string };

/** Section 2.3. */
const MAX_LENGTH = 2048;

/**
 * Trust domain in lower case, at least one path segment, nothing encoded, no query, no port: one spelling for each id, so
 * that policies can compare them as texts. The root of a trust domain names no workload (X509-SVID, section 5.2).
 */
const SHAPE = /^spiffe:\/\/(?<trustDomain>[a-z0-9._-]{1,255})(?<path>(?:\/[A-Za-z0-9._-]+)+)$/;

export const isSpiffeUri = (uri: string): boolean => /^spiffe:/i.test(uri);

/** The error is for the log. */
export function parseSpiffeId(uri: string): Result<SpiffeId, string> {
  const { trustDomain, path } = (uri.length <= MAX_LENGTH ? SHAPE.exec(uri)?.groups : undefined) ?? {};
  if (trustDomain === undefined || path === undefined) return err(`${quoted(uri)} is not the SPIFFE id of a workload`);
  // Section 2.2: relative segments are not allowed, so that no id can be read as another.
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) {
    return err(`${quoted(uri)} has a relative path segment`);
  }
  return ok({ id: uri, trustDomain });
}
