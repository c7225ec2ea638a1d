/**
 * What a browser carries for us, sealed: a log-in under way, the session, and the proof that a form is of a page we made.
 * The session cookie alone opens nothing but our own pages and API.
 */

import type { BrowserLogin, PendingLogin } from '../../authn/browser-login.ts';
import { isJsonObject } from '../../model/json.ts';
import type { BrowserSession } from '../../model/request.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { Sealer } from '../../seal/sealer.ts';
import type { Arrival } from '../arrival.ts';
import { clearCookie, cookieOf, cookieRules, setCookie } from './cookies.ts';
import { RecentIds } from './recent-ids.ts';

export type BrowserOptions = {
  readonly login?: BrowserLogin | undefined;
  readonly sealer: Sealer;
  readonly publicUrl: string;
  readonly now: () => number;
};

/** A log-in under way, and the page it leads back to. */
export type Returning = { readonly pending: PendingLogin; readonly returnTo: string };

export type Browser = {
  readonly login: BrowserLogin | undefined;
  sessionOf(arrival: Arrival): BrowserSession | undefined;
  /** `Set-Cookie` values. An error: more is known of the person than a cookie holds. */
  opened(session: BrowserSession): Result<string, 'too-large'>;
  /** Ends the session here, whoever still holds its cookie. */
  ended(session: BrowserSession | undefined): string;
  started(returning: Returning): string;
  /** The log-in that this browser began. It can be asked for once. */
  returning(arrival: Arrival): Returning | undefined;
  readonly forgetLogin: string;
  /** Good for one session and one approval. */
  formToken(session: BrowserSession, approval: string): string;
  isFormToken(token: string, session: BrowserSession, approval: string): boolean;
  /** Did a page of ours cause the request? */
  isOwnOrigin(arrival: Arrival): boolean;
};

const LOGIN_LIFETIME_MS = 10 * 60_000;
const MAX_IDS = 10_000;
/** Browsers keep 4,096 bytes of name, value and attributes together. */
const MAX_COOKIE_BYTES = 3_900;

export function createBrowser({ login, sealer, publicUrl, now }: BrowserOptions): Browser {
  const rules = cookieRules(publicUrl);
  const { origin } = new URL(publicUrl);
  const SESSION = `${rules.prefix}sallyport-session`;
  const LOGIN = `${rules.prefix}sallyport-login`;
  const usedStates = new RecentIds(MAX_IDS);
  const endedSessions = new RecentIds(MAX_IDS);
  const opened = (purpose: 'browser-session' | 'browser-login', name: string, { request }: Arrival) => {
    const cookie = cookieOf(request.rawHeaders, name);
    const result = cookie === undefined ? undefined : sealer.open(purpose, cookie);
    return result?.ok === true ? result.value : undefined;
  };

  return {
    login,
    sessionOf(arrival) {
      const { i, s, c, e } = opened('browser-session', SESSION, arrival) ?? {};
      if (typeof i !== 'string' || typeof s !== 'string' || !isJsonObject(c) || typeof e !== 'number') return undefined;
      return endedSessions.has(i, now()) ? undefined : { id: i, issuer: s, claims: c, expiresAtMs: e };
    },
    opened({ id, issuer, claims, expiresAtMs }) {
      const lifetimeMs = expiresAtMs - now();
      const sealed = sealer.seal('browser-session', { i: id, s: issuer, c: claims, e: expiresAtMs }, lifetimeMs);
      const cookie = setCookie(SESSION, sealed, lifetimeMs, rules);
      return cookie.length > MAX_COOKIE_BYTES ? err('too-large') : ok(cookie);
    },
    ended(session) {
      if (session !== undefined) endedSessions.add(session.id, session.expiresAtMs, now());
      return clearCookie(SESSION, rules);
    },
    started({ pending: { issuer, state, nonce, verifier }, returnTo }) {
      const payload = { i: issuer, s: state, n: nonce, v: verifier, r: returnTo };
      return setCookie(LOGIN, sealer.seal('browser-login', payload, LOGIN_LIFETIME_MS), LOGIN_LIFETIME_MS, rules);
    },
    returning(arrival) {
      const { i, s, n, v, r } = opened('browser-login', LOGIN, arrival) ?? {};
      if (typeof i !== 'string' || typeof s !== 'string' || typeof n !== 'string') return undefined;
      if (typeof v !== 'string' || typeof r !== 'string') return undefined;
      if (!usedStates.add(s, now() + LOGIN_LIFETIME_MS, now())) return undefined;
      return { pending: { issuer: i, state: s, nonce: n, verifier: v }, returnTo: r };
    },
    forgetLogin: clearCookie(LOGIN, rules),
    formToken: ({ id, expiresAtMs }, approval) =>
      sealer.seal('csrf', { i: id, a: approval }, Math.max(1, expiresAtMs - now())),
    isFormToken(token, { id }, approval) {
      const result = sealer.open('csrf', token);
      return result.ok && result.value.i === id && result.value.a === approval;
    },
    isOwnOrigin: ({ headers, request }) => {
      const site = request.headers['sec-fetch-site'];
      return headers.origin === origin && (site === undefined || site === 'same-origin');
    },
  };
}
