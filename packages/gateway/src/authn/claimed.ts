/**
 * What a refused credential was, for the record: its kind, and what it says of itself where that is harmless. Nothing of it is
 * believed. Neither the credential nor a hash of it: a hash of something short could be tried out.
 */

import { decodeJwt, decodeProtectedHeader } from 'jose';

import type { Claimed, PresentedKind } from '../model/event.ts';
import type { PresentedCredentials } from '../model/request.ts';
import { API_KEY_PREFIX, isApiKey } from './api-key.ts';

/** As many as `sallyport key list` shows: of 256 random bits it tells 36. */
export const HINT_LENGTH = 9;

/** More is no name, and not worth reading. */
const MAX_TOKEN_LENGTH = 8 * 1024;
const MAX_ISSUER_LENGTH = 200;
const KEY_ID = /^[\x21-\x7e]{1,128}$/u;
const JWT_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/u;

/** The user's credential where there is one; else the workload's. Undefined when nothing was presented. */
export function presentedKind({
  bearer,
  browser,
  certificates,
  forwardedCertificate,
}: PresentedCredentials): PresentedKind | undefined {
  if (browser !== undefined) return 'browser';
  if (bearer === undefined) {
    if (forwardedCertificate !== undefined) return 'mesh';
    return certificates === undefined ? undefined : 'mtls';
  }
  const text = bearer.expose();
  if (text.startsWith(API_KEY_PREFIX)) return 'api-key';
  return text.length <= MAX_TOKEN_LENGTH && JWT_SHAPE.test(text) ? 'jwt' : 'bearer';
}

/** Decodes a token without verifying it: for attempts that are counted already, not for a flood. */
export function claimedBy(presented: PresentedCredentials): Claimed {
  const text = presented.bearer?.expose() ?? '';
  switch (presentedKind(presented)) {
    case 'api-key':
      // What only looks like one could be anything: of that, nothing is kept.
      return isApiKey(text) ? { hint: text.slice(0, HINT_LENGTH) } : {};
    case 'jwt':
      return claimedByToken(text);
    default:
      return {};
  }
}

function claimedByToken(text: string): Claimed {
  try {
    const { kid } = decodeProtectedHeader(text);
    const { iss } = decodeJwt(text);
    return {
      ...(isIssuer(iss) ? { issuer: iss } : {}),
      ...(typeof kid === 'string' && KEY_ID.test(kid) ? { keyId: kid } : {}),
    };
  } catch {
    return {};
  }
}

/** An issuer identifier has neither user nor query (RFC 8414 section 2): with them it could hold anything. */
function isIssuer(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > MAX_ISSUER_LENGTH || !URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return /^https?:$/u.test(protocol) && [username, password, search, hash].every((part) => part === '');
}
