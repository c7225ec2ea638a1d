/**
 * Who a browser session stands for. Mapped by the very code that maps access tokens, so that a person is the same principal
 * in the browser as behind their client: that is what lets them confirm a call of their own.
 */

import type { NoteEvent } from '../model/event.ts';
import { refuse, type FailureCode } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import type { BrowserSession } from '../model/request.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuthenticationAttempt, Authenticator } from './authenticator.ts';
import { deepFrozen, principalFromClaims, type ClaimMapping } from './claims.ts';

export type BrowserIssuer = Omit<ClaimMapping, 'groupsClaim'> & { readonly groupsClaim?: string };

const NAME_CLAIMS = ['preferred_username', 'email'] as const;

/** A claim, or the member of one that a path such as `realm_access.roles` leads into. */
const rootOf = (path: string, claims: JsonObject): string =>
  Object.hasOwn(claims, path) ? path : (path.split('.', 1)[0] ?? path);

/** What has to be kept of the claims: what the mapping reads, and no more of a person than that. */
export function claimsFor(claims: JsonObject, { groupsClaim = 'groups', tenantClaim }: BrowserIssuer): JsonObject {
  const paths = ['sub', ...NAME_CLAIMS, groupsClaim, ...(tenantClaim === undefined ? [] : [tenantClaim])];
  const kept = new Set(paths.map((path) => rootOf(path, claims)));
  return Object.fromEntries(Object.entries(claims).filter(([name]) => kept.has(name)));
}

/** Nothing that the mapping reads has to be asked for elsewhere. */
export function hasAll(claims: JsonObject, { groupsClaim = 'groups', tenantClaim }: BrowserIssuer): boolean {
  const paths = [groupsClaim, ...(tenantClaim === undefined ? [] : [tenantClaim])];
  return (
    paths.every((path) => Object.hasOwn(claims, rootOf(path, claims))) && NAME_CLAIMS.some((name) => name in claims)
  );
}

/** The error is for the log. */
export function browserPrincipal(session: BrowserSession, issuer: BrowserIssuer): Result<Principal, string> {
  const claims = { ...session.claims, exp: Math.floor(session.expiresAtMs / 1000) };
  const mapped = principalFromClaims(claims, { ...issuer, groupsClaim: issuer.groupsClaim ?? 'groups' });
  if (!mapped.ok) return mapped;
  if (mapped.value.kind !== 'user') return err("a log-in in the browser is a person's");
  return ok(deepFrozen({ ...mapped.value, credential: { kind: 'browser', expiresAtMs: session.expiresAtMs } }));
}

export type BrowserAuthenticatorOptions = {
  readonly issuers: readonly BrowserIssuer[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Logger;
  /** Told of every session that is refused. */
  readonly note: NoteEvent;
};

/** `inner`, and sessions of the browser for whoever presents one. A request presents one credential or the other. */
export function withBrowserSessions(inner: Authenticator, options: BrowserAuthenticatorOptions): Authenticator {
  const issuers = new Map(options.issuers.map((issuer) => [issuer.issuer, issuer]));
  const refused = (attempt: AuthenticationAttempt, code: FailureCode, reason: string): never => {
    const { requestId, address, endpoint } = attempt;
    const failure = { code, reason };
    options.log.info({ requestId, ...failure, address }, 'a browser session was refused');
    options.note({
      kind: 'authentication',
      activity: 'verify',
      credential: 'browser',
      requestId,
      address,
      endpoint,
      failure,
    });
    throw refuse(code);
  };
  return {
    authenticate(attempt) {
      const { browser, bearer } = attempt.presented;
      if (browser === undefined) return inner.authenticate(attempt);
      if (bearer !== undefined) return refused(attempt, 'invalid-credential', 'browser: beside another credential');
      // Read anew each time: an issuer that lost its `login` has lost its sessions.
      const issuer = issuers.get(browser.issuer);
      if (issuer === undefined) return refused(attempt, 'invalid-credential', 'browser: its issuer has no login here');
      if (browser.expiresAtMs <= options.now()) return refused(attempt, 'expired-credential', 'browser: expired');
      const principal = browserPrincipal(browser, issuer);
      return principal.ok ? principal.value : refused(attempt, 'invalid-credential', `browser: ${principal.error}`);
    },
  };
}
