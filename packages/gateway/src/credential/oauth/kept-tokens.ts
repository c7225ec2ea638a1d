/**
 * Tokens that the gateway obtains for itself, by the name of whom they are for. Each is asked for once however many calls
 * need it, and again shortly before its end: the old one is used until the new one is there. None is written down.
 */

import { OAuthError } from './oauth-error.ts';
import type { ObtainedToken } from './token-answer.ts';

export type KeptTokensOptions<Means> = {
  /** @param means What whoever asks brings for it; not kept. */
  readonly obtain: (name: string, signal: AbortSignal, means: Means) => Promise<ObtainedToken>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of every one that was not to be had; `isGood`: the old one still serves. */
  readonly onFailure?: (error: OAuthError, isGood: boolean) => void;
  readonly maxTokens?: number;
  /** For one answer. */
  readonly timeoutMs?: number;
};

export type KeptToken = { readonly token: ObtainedToken; readonly version: number };

type Held = {
  token?: KeptToken;
  asking?: Promise<KeptToken>;
  /** No sooner than this is it asked for again, after it failed. */
  pausedUntilMs: number;
  failures: number;
};

/** A server that does not say how long: often enough to notice, seldom enough not to hurt. */
const UNSAID_MS = 5 * 60_000;
const RENEW_BEFORE_MS = 60_000;
/** It has to arrive before its end, too. */
const ON_THE_WAY_MS = 2_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

export class KeptTokens<Means = undefined> {
  readonly #options: KeptTokensOptions<Means>;
  readonly #held = new Map<string, Held>();
  #versions = 0;

  constructor(options: KeptTokensOptions<Means>) {
    this.#options = options;
  }

  /** At once while there is a good one. @throws OAuthError */
  get(name: string, means: Means): KeptToken | Promise<KeptToken> {
    const held = this.#of(name);
    const { token } = held;
    const nowMs = this.#options.now();
    if (token !== undefined && nowMs < dueAt(token)) return token;
    if (token !== undefined && nowMs < endOf(token)) {
      if (nowMs >= held.pausedUntilMs) void this.#ask(name, held, means).catch(() => undefined);
      return token;
    }
    return this.#ask(name, held, means);
  }

  /** What there is, if it is still good: for whoever has nothing to ask with. */
  good(name: string): KeptToken | undefined {
    const token = this.#held.get(name)?.token;
    return token !== undefined && this.#options.now() < endOf(token) ? token : undefined;
  }

  /** It was refused where it was shown. False when it is not the newest any more, or so young that its age is not why. */
  drop(name: string, version: number): boolean {
    const held = this.#held.get(name);
    if (held?.token?.version !== version) return held?.token !== undefined;
    if (this.#options.now() - held.token.token.obtainedAtMs < YOUNG_MS) return false;
    delete held.token;
    return true;
  }

  #of(name: string): Held {
    let held = this.#held.get(name);
    if (held === undefined) {
      held = { pausedUntilMs: 0, failures: 0 };
      const [oldest] = this.#held.keys();
      if (this.#held.size >= (this.#options.maxTokens ?? 10_000) && oldest !== undefined) this.#held.delete(oldest);
    } else {
      this.#held.delete(name);
    }
    // The least recently used goes first.
    this.#held.set(name, held);
    return held;
  }

  #ask(name: string, held: Held, means: Means): Promise<KeptToken> {
    const { obtain, now, timeoutMs = 10_000, onFailure } = this.#options;
    held.asking ??= obtain(name, AbortSignal.timeout(timeoutMs), means)
      .then((token) => {
        this.#versions += 1;
        held.token = { token, version: this.#versions };
        held.failures = 0;
        held.pausedUntilMs = 0;
        return held.token;
      })
      .catch((error: unknown) => {
        held.failures += 1;
        held.pausedUntilMs = now() + Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(held.failures - 1, 10));
        const failure =
          error instanceof OAuthError ? error : new OAuthError('unreachable', 'no token was issued in time', error);
        onFailure?.(failure, held.token !== undefined && now() < endOf(held.token));
        throw failure;
      })
      .finally(() => {
        delete held.asking;
      });
    return held.asking;
  }
}

/** A server that refuses a token that is younger than this refuses more than its age. */
const YOUNG_MS = 5_000;

const lifetimeOf = ({ token: { obtainedAtMs, expiresAtMs } }: KeptToken): number =>
  expiresAtMs === undefined ? UNSAID_MS : expiresAtMs - obtainedAtMs;

const endOf = (kept: KeptToken): number =>
  kept.token.obtainedAtMs + lifetimeOf(kept) - Math.min(ON_THE_WAY_MS, lifetimeOf(kept) / 4);

/** Of a short life it is the last quarter. */
const dueAt = (kept: KeptToken): number =>
  kept.token.obtainedAtMs + lifetimeOf(kept) - Math.min(RENEW_BEFORE_MS, lifetimeOf(kept) / 4);
