/**
 * The public keys of one issuer: found lazily (RFC 8414, OpenID Connect Discovery 1.0), kept for a while, fetched again
 * when a token names a key that is not there. An issuer that is away is not fatal: its keys serve until they are too old.
 */

import { discoverJwksUri, type FetchJson } from './discovery.ts';
import { candidates, parseJwks, type KeySnapshot, type PublicKey, type TokenHeader } from './jwks.ts';

export type KeySetOptions = {
  readonly issuer: string;
  /** Found by discovery when absent. */
  readonly jwksUri?: string;
  readonly fetchJson: FetchJson;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** For discovery and keys together: a request that waits for them is answered within a second. */
  readonly fetchTimeoutMs?: number;
  /** Keys older than this are fetched again in the background. */
  readonly refreshAfterMs?: number;
  /** Keys older than this verify nothing any more. */
  readonly expireAfterMs?: number;
  /** The least time between two fetches, whatever tokens ask for; but for a few quick looks for a key that is not there. */
  readonly minRefreshMs?: number;
  /** Once for each outage, and when its reason changes. */
  readonly onFailure: (reason: string) => void;
};

export interface KeySet {
  /** Keys that may have signed a token with this header, none if there are none; `undefined` when that cannot be known. */
  keysFor(header: TokenHeader): Promise<readonly PublicKey[] | undefined>;
  /** Is the key of this fingerprint still the issuer's? */
  holds(fingerprint: string): boolean;
  /** Fetches what is missing, old, or could not be fetched the last time. Never throws. */
  keepFresh(): Promise<void>;
  /** How the last fetch ended; undefined before the first. */
  lastFetch(): Fetched | undefined;
}

export type Fetched = { readonly ok: boolean; readonly reason?: string };

const FETCH_TIMEOUT_MS = 900;
const REFRESH_AFTER_MS = 10 * 60_000;
const EXPIRE_AFTER_MS = 60 * 60_000;
const MIN_REFRESH_MS = 5_000;

/**
 * An issuer may rotate just after it was asked, and its new key must not wait. So many unknown keys are looked for at once
 * before the least time between two fetches holds: whoever makes keys up costs the issuer that much, and no more.
 */
const QUICK_LOOKS = 3;

export function createKeySet(options: KeySetOptions): KeySet {
  const { now, expireAfterMs = EXPIRE_AFTER_MS, refreshAfterMs = REFRESH_AFTER_MS } = options;
  const minRefreshMs = options.minRefreshMs ?? MIN_REFRESH_MS;
  let snapshot: KeySnapshot | undefined;
  let discovered: string | undefined;
  let pending: Promise<boolean> | undefined;
  let attemptedAtMs = Number.NEGATIVE_INFINITY;
  let lastFetch: Fetched | undefined;
  let quickLooks = QUICK_LOOKS;

  const fetchKeys = async (signal: AbortSignal): Promise<void> => {
    const uri = options.jwksUri ?? (discovered ??= await discoverJwksUri(options.issuer, options.fetchJson, signal));
    try {
      const parsed = parseJwks(await options.fetchJson(uri, signal), now());
      if (!parsed.ok) throw new Error(parsed.error);
      // What arrives after its deadline is taken all the same: it is newer than what we have.
      snapshot = parsed.value;
    } catch (cause) {
      // The issuer may have moved its keys.
      discovered = undefined;
      throw cause;
    }
  };

  const tooSoon = (): boolean => now() - attemptedAtMs < minRefreshMs;
  // Not after a failure: an issuer that is away is left alone, and nobody waits for it again at once.
  const mayLookQuickly = (): boolean => lastFetch?.ok === true && quickLooks > 0;

  /** True when it succeeded. One at a time; callers share it. */
  const refresh = (quick = false): Promise<boolean> => {
    if (pending !== undefined) return pending;
    if (!tooSoon()) quickLooks = QUICK_LOOKS;
    else if (quick && mayLookQuickly()) quickLooks -= 1;
    else return NOT_NOW;
    attemptedAtMs = now();
    pending = withDeadline(fetchKeys, options.fetchTimeoutMs ?? FETCH_TIMEOUT_MS)
      .then(
        () => {
          lastFetch = { ok: true };
          return true;
        },
        (cause: unknown) => {
          const reason = cause instanceof Error ? cause.message : String(cause);
          const isNews = lastFetch?.reason !== reason;
          lastFetch = { ok: false, reason };
          // It is looked at every half minute: said once, an outage is known.
          if (isNews) options.onFailure(reason);
          return false;
        },
      )
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };

  const usable = (): KeySnapshot | undefined =>
    snapshot !== undefined && now() - snapshot.fetchedAtMs < expireAfterMs ? snapshot : undefined;

  return {
    async keysFor(header) {
      if (usable() === undefined) await refresh();
      const known = usable();
      if (known === undefined) return undefined;
      if (now() - known.fetchedAtMs >= refreshAfterMs) void refresh();
      const found = candidates(known, header);
      if (found.length > 0) return found;
      // An unknown key: the issuer may have rotated. When it cannot be asked, we do not know; when it was asked just now,
      // the token is wrong.
      if (pending === undefined && tooSoon() && !mayLookQuickly()) return found;
      return (await refresh(true)) ? candidates(usable() ?? known, header) : undefined;
    },
    holds: (fingerprint) => usable()?.fingerprints.has(fingerprint) === true,
    async keepFresh() {
      const known = usable();
      const isOld = known === undefined || now() - known.fetchedAtMs >= refreshAfterMs;
      if (isOld || lastFetch?.ok !== true) await refresh();
    },
    lastFetch: () => lastFetch,
  };
}

const NOT_NOW = Promise.resolve(false);

/** Rejects in time even when what it runs ignores its signal. */
async function withDeadline(run: (signal: AbortSignal) => Promise<void>, timeoutMs: number): Promise<void> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const reason = new Error(`no answer within ${timeoutMs} ms`);
      controller.abort(reason);
      reject(reason);
    }, timeoutMs);
  });
  try {
    await Promise.race([run(controller.signal), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
