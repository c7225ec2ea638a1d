/** Tokens that were verified before, by their SHA-256: the token itself is not kept. */

import { hash } from 'node:crypto';

import type { VerifiedToken } from './jwt-verifier.ts';

export type TokenCacheOptions = {
  /** Tokens remembered. Each keeps its claims, so at most the size of a token. */
  readonly maxTokens: number;
  /** How long a token is believed without being verified again. */
  readonly rememberMs: number;
};

export interface TokenCache {
  find(digest: string, nowMs: number): VerifiedToken | undefined;
  remember(digest: string, token: VerifiedToken, nowMs: number): void;
}

export const tokenDigest = (token: string): string => hash('sha256', token, 'base64url');

type Remembered = { readonly token: VerifiedToken; readonly untilMs: number };

/**
 * Forgets a token when its time is over, when its key has left the issuer's set, and the least used when it is full: two
 * generations, so that a hit costs one look-up.
 *
 * @throws RangeError when there is no room for two tokens.
 */
export function createTokenCache(options: TokenCacheOptions): TokenCache {
  const maxYoung = Math.floor(options.maxTokens / 2);
  if (!Number.isSafeInteger(maxYoung) || maxYoung < 1) throw new RangeError('maxTokens must be at least 2');
  let young = new Map<string, Remembered>();
  let old = new Map<string, Remembered>();

  const keep = (digest: string, entry: Remembered): void => {
    if (young.size >= maxYoung && !young.has(digest)) {
      old = young;
      young = new Map();
    }
    young.set(digest, entry);
  };

  return {
    find(digest, nowMs) {
      const recent = young.get(digest);
      const entry = recent ?? old.get(digest);
      if (entry === undefined) return undefined;
      const { token, untilMs } = entry;
      if (nowMs >= untilMs || !token.issuer.keys.holds(token.fingerprint)) {
        young.delete(digest);
        old.delete(digest);
        return undefined;
      }
      if (recent === undefined) keep(digest, entry);
      return token;
    },
    remember(digest, token, nowMs) {
      keep(digest, { token, untilMs: Math.min(token.expiresAtMs, nowMs + options.rememberMs) });
    },
  };
}
