/** Tokens that were verified before, by their SHA-256: the token itself is not kept. */

import { hash } from 'node:crypto';

import type { VerifiedToken } from './jwt-verifier.ts';
import { RecentMap } from './recent-map.ts';

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
 * Forgets a token when its time is over, when its key has left the issuer's set, and the least used when it is full.
 *
 * @throws RangeError when there is no room for two tokens.
 */
export function createTokenCache(options: TokenCacheOptions): TokenCache {
  const remembered = new RecentMap<string, Remembered>(options.maxTokens);

  return {
    find(digest, nowMs) {
      const entry = remembered.get(digest);
      if (entry === undefined) return undefined;
      const { token, untilMs } = entry;
      if (nowMs < untilMs && token.issuer.keys.holds(token.fingerprint)) return token;
      remembered.delete(digest);
      return undefined;
    },
    remember(digest, token, nowMs) {
      remembered.set(digest, { token, untilMs: Math.min(token.expiresAtMs, nowMs + options.rememberMs) });
    },
  };
}
