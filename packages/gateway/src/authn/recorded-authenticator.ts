/**
 * Tells of each credential that was verified: once when it is first seen here, not once for each request. It stands outermost,
 * so that a token whose signature is good and that is refused all the same (stolen from the workload it is bound to) is never
 * told of as a success. Costs 0.06 us a call (2026-11-25).
 */

import type { NoteEvent } from '../model/event.ts';
import type { Principal } from '../model/principal.ts';
import type { AuthenticationAttempt, Authenticator } from './authenticator.ts';
import { RecentMap } from './recent-map.ts';

export type RecordedAuthenticatorOptions = {
  readonly note: NoteEvent;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A credential that lives long, as API keys do, is told of again when it is still in use after so long. Default: one hour. */
  readonly againMs?: number;
  /** Credentials remembered; one that was forgotten is told of again. Default 20,000. */
  readonly maxRemembered?: number;
};

const HOUR_MS = 3_600_000;

export function withAuthenticationEvents(inner: Authenticator, options: RecordedAuthenticatorOptions): Authenticator {
  const { note, now, againMs = HOUR_MS, maxRemembered = 20_000 } = options;
  /** Nearly always the same object as before: then nothing has to be put together. */
  const byPrincipal = new WeakMap<Principal, number>();
  const byCredential = new RecentMap<string, number>(maxRemembered);

  const toldOf = (principal: Principal, attempt: AuthenticationAttempt): Principal => {
    const { kind, expiresAtMs } = principal.credential;
    // A session of the browser is told of when it is opened.
    if (kind === 'browser' || kind === 'system') return principal;
    const nowMs = now();
    if ((byPrincipal.get(principal) ?? 0) > nowMs) return principal;
    const key = credentialKey(principal);
    const untilMs = byCredential.get(key) ?? 0;
    if (untilMs > nowMs) {
      byPrincipal.set(principal, untilMs);
      return principal;
    }
    const nextMs = kind === 'api-key' ? nowMs + againMs : (expiresAtMs ?? nowMs + againMs);
    byPrincipal.set(principal, nextMs);
    byCredential.set(key, nextMs);
    const { requestId, address, endpoint } = attempt;
    note({ kind: 'authentication', activity: 'verify', credential: kind, principal, requestId, address, endpoint });
    return principal;
  };

  return {
    authenticate(attempt) {
      const principal = inner.authenticate(attempt);
      return principal instanceof Promise
        ? principal.then((verified) => toldOf(verified, attempt))
        : toldOf(principal, attempt);
    },
  };
}

/** One token is verified anew every few minutes, and is the same: by its id and times. */
function credentialKey({ key, credential, claims, clientId = '', workload }: Principal): string {
  const { jti, iat } = claims;
  return JSON.stringify([key, credential.kind, credential.expiresAtMs, clientId, jti, iat, workload?.id]);
}
