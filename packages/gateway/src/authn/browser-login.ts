/**
 * A person's log-in with their browser at an issuer of the configuration: authorization code with PKCE, state, nonce and the
 * issuer's own name in the answer (RFC 9207). What comes out is a session of ours; no token is kept.
 */

import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  ResponseBodyError,
  type ClientAuth,
  type Configuration,
} from 'openid-client';

import { EgressError } from '../egress/egress-error.ts';
import type { WebFetch } from '../egress/web-fetch.ts';
import { refuse } from '../model/failure.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import type { BrowserSession } from '../model/request.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isTrustworthyUrl } from './discovery.ts';
import { browserPrincipal, claimsFor, hasAll, type BrowserIssuer } from './browser-principal.ts';
import { quoted } from './refused.ts';

export type LoginIssuer = BrowserIssuer & {
  readonly clientId: string;
  /** Read anew for each log-in, so that a rotated secret is used. Absent: a public client. */
  readonly clientSecret?: () => Promise<string>;
  readonly scopes: readonly string[];
  readonly sessionMs: number;
};

export type BrowserLoginOptions = {
  readonly issuers: readonly LoginIssuer[];
  /** Scheme, host and port, no trailing slash: the redirect URI is made from it, never from a request. */
  readonly publicUrl: string;
  readonly fetch: WebFetch;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newId: () => string;
  readonly log: Logger;
};

/** A log-in under way, as its browser carries it under our seal. */
export type PendingLogin = {
  readonly issuer: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
};

/** `denied`: the issuer says that the person did not log in. `invalid`: what came is not the answer to what was asked. */
export type LoginFault = 'denied' | 'invalid';

export interface BrowserLogin {
  /** Where one can log in, in the order of the configuration. */
  readonly issuers: readonly string[];
  /** Where to send the browser. @throws Refusal `identity-unavailable` */
  begin(issuer: string): Promise<{ readonly url: string; readonly pending: PendingLogin } | undefined>;
  /** @param query Of the callback, without its `?`. @throws Refusal `identity-unavailable` */
  finish(pending: PendingLogin, query: string): Promise<Result<BrowserSession, LoginFault>>;
  /** Whose session it is; undefined for one of an issuer that has no log-in here any more. */
  principalOf(session: BrowserSession): Principal | undefined;
}

export const LOGIN_CALLBACK_PATH = '/login/callback';

/** Metadata is believed this long. */
const REMEMBER_MS = 10 * 60_000;

type Discovered = {
  readonly configuration: Promise<Configuration>;
  readonly secret: ReadSecret;
  readonly untilMs: number;
};

/** @throws RangeError when a log-in there could be read by others. */
export function createBrowserLogin(options: BrowserLoginOptions): BrowserLogin {
  const { publicUrl, now, log } = options;
  if (!isTrustworthyUrl(publicUrl)) {
    throw new RangeError(
      `identity.issuers[].login needs a publicUrl over https (http only on this machine), not ${publicUrl}: ` +
        'cookies of a log-in would travel readable.',
    );
  }
  const redirectUri = publicUrl + LOGIN_CALLBACK_PATH;
  const byName = new Map(options.issuers.map((issuer) => [issuer.issuer, issuer]));
  /** One for each issuer of the configuration. */
  const discovered = new Map<string, Discovered>();

  function discoveredOf(issuer: LoginIssuer): Discovered {
    const known = discovered.get(issuer.issuer);
    if (known !== undefined && known.untilMs > now()) return known;
    const secret: ReadSecret = { current: undefined };
    const configuration = discover(issuer, secret, options);
    const found = { configuration, secret, untilMs: now() + REMEMBER_MS };
    discovered.set(issuer.issuer, found);
    // A failure is not remembered: the next person tries again.
    configuration.catch(() => discovered.delete(issuer.issuer));
    return found;
  }

  const unavailable = (issuer: string, error: unknown): never => {
    log.warn({ issuer, reason: reasonOf(error) }, 'a log-in failed: the identity provider cannot be used');
    throw refuse('identity-unavailable', { retryAfterMs: 1_000, cause: error });
  };

  return {
    issuers: [...byName.keys()],
    async begin(name) {
      const issuer = byName.get(name);
      if (issuer === undefined) return undefined;
      try {
        const configuration = await discoveredOf(issuer).configuration;
        const pending = {
          issuer: name,
          state: randomState(),
          nonce: randomNonce(),
          verifier: randomPKCECodeVerifier(),
        };
        const url = buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          response_type: 'code',
          scope: [...new Set(['openid', ...issuer.scopes])].join(' '),
          state: pending.state,
          nonce: pending.nonce,
          code_challenge: await calculatePKCECodeChallenge(pending.verifier),
          code_challenge_method: 'S256',
        });
        return { url: url.href, pending };
      } catch (error) {
        return unavailable(name, error);
      }
    },
    async finish(pending, query) {
      const issuer = byName.get(pending.issuer);
      if (issuer === undefined) return err('invalid');
      try {
        const { configuration: discovering, secret } = discoveredOf(issuer);
        const configuration = await discovering;
        secret.current = await secretOf(issuer);
        const claims = await claimsFrom(configuration, new URL(`${redirectUri}?${query}`), pending, issuer);
        const session = {
          id: options.newId(),
          issuer: issuer.issuer,
          claims: claimsFor(claims, issuer),
          expiresAtMs: now() + issuer.sessionMs,
        };
        const principal = browserPrincipal(session, issuer);
        if (!principal.ok) throw new Error(principal.error);
        log.info({ principal: principal.value.name, issuer: issuer.issuer }, 'a person logged in');
        return ok(session);
      } catch (error) {
        if (isOutage(error)) return unavailable(issuer.issuer, error);
        const fault = error instanceof AuthorizationResponseError ? 'denied' : 'invalid';
        log.info({ issuer: issuer.issuer, fault, reason: reasonOf(error) }, 'a log-in was refused');
        return err(fault);
      }
    },
    principalOf(session) {
      const issuer = byName.get(session.issuer);
      const principal = issuer === undefined ? undefined : browserPrincipal(session, issuer);
      return principal?.ok === true ? principal.value : undefined;
    },
  };
}

/** The issuer's metadata. Identical to the name we know it by (RFC 8414 section 3.3), byte for byte. */
async function discover(
  issuer: LoginIssuer,
  secret: ReadSecret,
  { fetch }: BrowserLoginOptions,
): Promise<Configuration> {
  const configuration = await discovery(new URL(issuer.issuer), issuer.clientId, undefined, authenticationOf(secret), {
    [customFetch]: (url, { method, headers, body, signal }) =>
      fetch(url, { method, headers, body, ...(signal === undefined ? {} : { signal }) }),
    // openid-client would leave the signature of an id token to the TLS connection it came over.
    execute: [enableNonRepudiationChecks, ...(issuer.issuer.startsWith('http:') ? [allowInsecureRequests] : [])],
  });
  const metadata = configuration.serverMetadata();
  if (metadata.issuer !== issuer.issuer)
    throw new Error(`the metadata speaks for the issuer ${quoted(metadata.issuer)}`);
  return configuration;
}

/** The secret as it was read for the latest log-in. openid-client authenticates without waiting for anything. */
type ReadSecret = { current: string | undefined };

/** Every server knows `client_secret_basic` (RFC 6749 section 2.3.1), unless it says that it wants another way. */
const authenticationOf =
  (secret: ReadSecret): ClientAuth =>
  (server, client, body, headers) => {
    const { current } = secret;
    const methods = server.token_endpoint_auth_methods_supported;
    const posts = methods?.includes('client_secret_post') === true && !methods.includes('client_secret_basic');
    const authenticate =
      current === undefined ? None() : posts ? ClientSecretPost(current) : ClientSecretBasic(current);
    authenticate(server, client, body, headers);
  };

/** The operator's to mend, and nothing that whoever logs in could do anything about. */
class NoSecretError extends Error {}

async function secretOf({ clientSecret }: LoginIssuer): Promise<string | undefined> {
  try {
    return await clientSecret?.();
  } catch (cause) {
    throw new NoSecretError('the secret of the client cannot be read', { cause });
  }
}

/** Of the id token; what it lacks of groups, tenant or name, the user info endpoint is asked for. */
async function claimsFrom(
  configuration: Configuration,
  answer: URL,
  pending: PendingLogin,
  issuer: LoginIssuer,
): Promise<JsonObject> {
  const tokens = await authorizationCodeGrant(configuration, answer, {
    pkceCodeVerifier: pending.verifier,
    expectedState: pending.state,
    expectedNonce: pending.nonce,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  if (claims === undefined || !isJsonObject(claims)) throw new Error('the issuer sent no id token');
  if (hasAll(claims, issuer) || configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
  const more = await fetchUserInfo(configuration, tokens.access_token, claims.sub);
  // What was signed wins over what was only sent.
  return isJsonObject(more) ? { ...more, ...claims } : claims;
}

/** The error is the identity provider's being away, and no fault of whoever logs in. */
function isOutage(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (at instanceof EgressError || at instanceof NoSecretError) return true;
    // Statuses: the response stands as the cause of openid-client's own error.
    if (at.cause instanceof Response && at.cause.status >= 500) return true;
  }
  return false;
}

/** For the log. Neither codes nor tokens stand in these messages. */
function reasonOf(error: unknown): string {
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) return quoted(error.error);
  const reasons: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 3; at = at.cause, depth += 1) {
    if (!reasons.includes(at.message)) reasons.push(at.message);
  }
  return reasons.join(': ').slice(0, 300);
}
