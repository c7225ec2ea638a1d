/**
 * The values of tokens that were opened a moment ago, least recently used first out. A legacy client repeats its session
 * id with every request: 1,000 remembered ones cost about 1 MB and save each request the decryption.
 */

import type { JsonObject } from '../model/json.ts';

export type OpenedToken = { readonly payload: JsonObject; readonly expiresAtMs: number };

export type TokenCache = {
  get(token: string): OpenedToken | undefined;
  set(token: string, opened: OpenedToken): void;
  delete(token: string): void;
  readonly size: number;
};

/** A cache of at most `capacity` tokens; 0 remembers nothing. */
export function createTokenCache(capacity: number): TokenCache {
  if (!Number.isSafeInteger(capacity) || capacity < 0) {
    throw new RangeError('capacity must be a whole number, zero or more');
  }
  // A Map iterates in insertion order, so re-inserting on use keeps the oldest use in front.
  const tokens = new Map<string, OpenedToken>();
  return {
    get(token) {
      const opened = tokens.get(token);
      if (opened !== undefined) {
        tokens.delete(token);
        tokens.set(token, opened);
      }
      return opened;
    },
    set(token, opened) {
      if (capacity === 0) return;
      tokens.delete(token);
      if (tokens.size >= capacity) {
        const oldest = tokens.keys().next();
        if (oldest.done !== true) tokens.delete(oldest.value);
      }
      tokens.set(token, opened);
    },
    delete(token) {
      tokens.delete(token);
    },
    get size() {
      return tokens.size;
    },
  };
}
