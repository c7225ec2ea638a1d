/** A consent under way, as the browser that began it carries it: sealed, used once, and one cookie for each, so that two can go on side by side. */

import type { PendingConsent } from '../../credential/oauth/code-flow.ts';
import type { PrincipalKey } from '../../model/principal.ts';
import type { ServerId } from '../../model/target.ts';
import type { Sealer } from '../../seal/sealer.ts';
import { clearCookie, cookieOf, cookieRules, setCookie } from './cookies.ts';
import { RecentIds } from './recent-ids.ts';

export type StartedConsent = {
  readonly pending: PendingConsent;
  readonly principal: PrincipalKey;
  readonly server: ServerId;
  readonly client: string | undefined;
};

export interface ConnectCookies {
  /** A `Set-Cookie` value. */
  started(consent: StartedConsent): string;
  /** The consent that this browser began with that state. It can be asked for once. */
  returning(rawHeaders: readonly string[], state: string): StartedConsent | undefined;
  forget(state: string): string;
}

export type ConnectCookiesOptions = { readonly sealer: Sealer; readonly publicUrl: string; readonly now: () => number };

const LIFETIME_MS = 10 * 60_000;
const MAX_IDS = 10_000;
const STATE = /^[\w-]{16,128}$/;

export function createConnectCookies({ sealer, publicUrl, now }: ConnectCookiesOptions): ConnectCookies {
  const rules = cookieRules(publicUrl);
  const used = new RecentIds(MAX_IDS);
  const nameFor = (state: string): string => `${rules.prefix}sallyport-connect-${state.slice(0, 12)}`;
  return {
    started({ pending, principal, server, client }) {
      const { issuer, clientId, resource, scopes, state, verifier } = pending;
      const payload = {
        i: issuer,
        d: clientId,
        r: resource,
        x: [...scopes],
        s: state,
        v: verifier,
        p: principal,
        n: server,
        ...(client === undefined ? {} : { c: client }),
      };
      return setCookie(nameFor(state), sealer.seal('browser-connect', payload, LIFETIME_MS), LIFETIME_MS, rules);
    },
    returning(rawHeaders, state) {
      const cookie = STATE.test(state) ? cookieOf(rawHeaders, nameFor(state)) : undefined;
      const opened = cookie === undefined ? undefined : sealer.open('browser-connect', cookie);
      if (opened?.ok !== true) return undefined;
      const { i, d, r, x, s, v, p, n, c } = opened.value;
      if (typeof i !== 'string' || typeof d !== 'string' || typeof r !== 'string' || !Array.isArray(x))
        return undefined;
      if (typeof v !== 'string' || typeof p !== 'string' || typeof n !== 'string') return undefined;
      if (s !== state || !used.add(state, now() + LIFETIME_MS, now())) return undefined;
      const scopes = x.filter((scope) => typeof scope === 'string');
      const pending = { issuer: i, clientId: d, resource: r, scopes, state, verifier: v };
      return { pending, principal: p, server: n, client: typeof c === 'string' ? c : undefined };
    },
    forget: (state) => clearCookie(nameFor(state), rules),
  };
}
