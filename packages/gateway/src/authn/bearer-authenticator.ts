/** Who is calling, from `Authorization: Bearer`: an API key of ours, or an access token of a configured issuer. */

import type { NoteEvent } from '../model/event.ts';
import { refuse } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { Endpoint } from '../model/target.ts';
import type { Logger } from '../telemetry/logger.ts';
import { API_KEY_PREFIX } from './api-key.ts';
import { createAttempts, type FailedAttempts } from './attempts.ts';
import { createApiKeyAuthenticator, type ApiKeyAuthenticatorOptions } from './api-key-authenticator.ts';
import type { AuthenticationAttempt, Authenticator } from './authenticator.ts';
import type { FetchJson } from './discovery.ts';
import type { Fetched } from './key-set.ts';
import { createIssuers, verifyToken, type IssuerOptions, type VerifiedToken } from './jwt-verifier.ts';
import { quoted, refused, Refused } from './refused.ts';
import { createTokenCache, tokenDigest } from './token-cache.ts';

export type AuthenticatorOptions = ApiKeyAuthenticatorOptions & {
  readonly issuers: readonly IssuerOptions[];
  /** What a token may be issued for to be good at this endpoint: its URL, the gateway's, as configured. */
  readonly audiences: (endpoint: Endpoint) => readonly string[];
  readonly fetchJson: FetchJson;
  readonly failedAttempts: FailedAttempts;
  /** Told of every credential that is refused. */
  readonly note: NoteEvent;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Logger;
  /** Default 5,000. */
  readonly maxTokens?: number;
  /** Default 8 KiB. Longer ones are refused unread. */
  readonly maxTokenLength?: number;
  /** Discovery and keys together. Default 900. */
  readonly fetchTimeoutMs?: number;
};

export interface BearerAuthenticator extends Authenticator {
  /** Each configured issuer, and how its keys were last fetched. */
  issuers(): readonly IssuerState[];
  /** Keys are there before a token asks for them, and an issuer that is away is noticed before somebody waits. */
  keepIssuersFresh(): Promise<void>;
}

export type IssuerState = { readonly issuer: string; readonly lastFetch?: Fetched };

/** Verified tokens are believed this long, and no longer than they live. */
const REMEMBER_MS = 5 * 60_000;

const MAX_TOKEN_LENGTH = 8 * 1024;

const MAX_LOGGED_AUDIENCES = 3;

/** Base64url, no empty part: what is not of this shape is not worth decoding. */
const JWT_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/u;

/** @throws RangeError when a key or an issuer is configured so that it could not be trusted. */
export function createAuthenticator(options: AuthenticatorOptions): BearerAuthenticator {
  const { now, log } = options;
  const attempts = createAttempts(options.failedAttempts, log, options.note);
  const maxTokenLength = options.maxTokenLength ?? MAX_TOKEN_LENGTH;
  const authenticateKey = createApiKeyAuthenticator(options, attempts);
  const cache = createTokenCache({ maxTokens: options.maxTokens ?? 5_000, rememberMs: REMEMBER_MS });
  const issuers = createIssuers({
    ...options,
    onFetchFailure: (issuer, reason) => log.warn({ issuer, reason }, 'the keys of an issuer could not be fetched'),
  });
  /** By digest: a client that opens many connections at once has its token verified once. */
  const underWay = new Map<string, Promise<VerifiedToken | Refused>>();

  const forEndpoint = (token: VerifiedToken, attempt: AuthenticationAttempt): Principal => {
    const accepted = options.audiences(attempt.endpoint);
    const also = token.issuer.options.audiences;
    for (const audience of token.audiences) {
      if (accepted.includes(audience) || also?.includes(audience) === true) return token.principal;
    }
    const named = token.audiences.slice(0, MAX_LOGGED_AUDIENCES).map(quoted).join(', ');
    return attempts.fail(
      attempt,
      refused(
        'wrong-audience',
        `token: issued for another audience, ${named}, not for ${accepted.join(', ')}`,
        token.principal,
      ),
    );
  };

  const verifyOnce = (digest: string, text: string): Promise<VerifiedToken | Refused> => {
    let verification = underWay.get(digest);
    if (verification === undefined) {
      verification = verifyToken(text, issuers, now()).finally(() => underWay.delete(digest));
      underWay.set(digest, verification);
    }
    return verification;
  };

  const verify = async (digest: string, text: string, attempt: AuthenticationAttempt): Promise<Principal> => {
    attempts.take(attempt);
    const verified = await verifyOnce(digest, text);
    if (verified instanceof Refused) {
      // That an issuer is away is not the caller's failure.
      if (verified.code === 'identity-unavailable') attempts.giveBack(attempt);
      return attempts.fail(attempt, verified);
    }
    attempts.giveBack(attempt);
    cache.remember(digest, verified, now());
    return forEndpoint(verified, attempt);
  };

  return {
    authenticate(attempt) {
      const text = attempt.presented.bearer?.expose();
      if (text === undefined || text === '') throw refuse('unauthenticated');
      if (text.length > maxTokenLength) {
        return attempts.failed(attempt, refused('invalid-credential', `longer than ${maxTokenLength} characters`));
      }
      if (text.startsWith(API_KEY_PREFIX)) return authenticateKey(text, attempt);
      const digest = tokenDigest(text);
      const known = cache.find(digest, now());
      if (known !== undefined) return forEndpoint(known, attempt);
      if (!JWT_SHAPE.test(text)) {
        return attempts.failed(attempt, refused('invalid-credential', 'neither an API key nor a JWT'));
      }
      return verify(digest, text, attempt);
    },
    issuers: () =>
      [...issuers].map(([issuer, { keys }]) => {
        const lastFetch = keys.lastFetch();
        return lastFetch === undefined ? { issuer } : { issuer, lastFetch };
      }),
    async keepIssuersFresh() {
      await Promise.all([...issuers.values()].map(({ keys }) => keys.keepFresh()));
    },
  };
}
