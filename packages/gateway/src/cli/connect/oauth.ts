/** The steps of OAuth 2.1 that a client on this machine takes: register, send the browser, take the answer, renew, give back. */

import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  dynamicClientRegistration,
  None,
  randomPKCECodeVerifier,
  randomState,
  refreshTokenGrant,
  tokenRevocation,
  type Configuration,
  type DiscoveryRequestOptions,
} from 'openid-client';

import type { WebFetch } from '../../egress/web-fetch.ts';
import type { Callback } from './callback.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { LogIn } from './token-file.ts';

export type LogInParts = {
  readonly fetch: WebFetch;
  readonly resource: ProtectedResource;
  readonly scope: string | undefined;
  readonly callback: Callback;
  /** A client that is known to the issuer already, for a redirect address on this machine. */
  readonly clientId: string | undefined;
  /** Shows the person where to log in. */
  readonly show: (url: string) => void;
};

const CLIENT_NAME = 'Sallyport connect';

/** From nothing to tokens; a person does their part in between. @throws Error with what went wrong */
export async function logIn(parts: LogInParts): Promise<LogIn> {
  const { resource, callback, scope } = parts;
  const { redirectUri } = callback;
  const configuration = await configurationFor(parts);
  // Without it a stolen code is worth something (OAuth 2.1, 7.5; MCP, authorization).
  if (!configuration.serverMetadata().supportsPKCE('S256')) {
    throw new Error(`${resource.issuer} does not offer PKCE with S256, without which a log-in is not safe`);
  }
  const verifier = randomPKCECodeVerifier();
  const state = randomState();
  const url = buildAuthorizationUrl(configuration, {
    redirect_uri: redirectUri,
    response_type: 'code',
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    resource: resource.resource,
    ...(scope === undefined ? {} : { scope }),
  });
  parts.show(url.href);
  const answer = await callback.arrived;
  const tokens = await authorizationCodeGrant(
    configuration,
    answer,
    { pkceCodeVerifier: verifier, expectedState: state },
    { resource: resource.resource },
  );
  const { client_id: clientId } = configuration.clientMetadata();
  return {
    resource: resource.resource,
    issuer: resource.issuer,
    clientId,
    redirectUri,
    ...tokensOf(tokens, scope),
  };
}

/** New tokens for the ones that ended; undefined when the issuer refuses, and a person has to log in again. */
export async function renew(known: LogIn, fetch: WebFetch): Promise<LogIn | undefined> {
  if (known.refreshToken === undefined) return undefined;
  const configuration = await discovered(known.issuer, known.clientId, fetch);
  try {
    const tokens = await refreshTokenGrant(configuration, known.refreshToken, { resource: known.resource });
    return { ...known, ...tokensOf(tokens, known.scope, known.refreshToken) };
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

/** Tells the issuer that the tokens are of no use any more (RFC 7009), where it wants to know. */
export async function revoke(known: LogIn, fetch: WebFetch): Promise<void> {
  const configuration = await discovered(known.issuer, known.clientId, fetch);
  if (configuration.serverMetadata().revocation_endpoint === undefined) return;
  await tokenRevocation(configuration, known.refreshToken ?? known.accessToken);
}

async function configurationFor({ fetch, resource, callback, clientId, scope }: LogInParts): Promise<Configuration> {
  if (clientId !== undefined) return discovered(resource.issuer, clientId, fetch);
  const metadata = {
    client_name: CLIENT_NAME,
    redirect_uris: [callback.redirectUri],
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    ...(scope === undefined ? {} : { scope }),
  };
  return inEitherForm(resource.issuer, fetch, (issuer, options) =>
    dynamicClientRegistration(issuer, metadata, None(), options),
  );
}

const discovered = (issuer: string, clientId: string, fetch: WebFetch): Promise<Configuration> =>
  inEitherForm(issuer, fetch, (url, options) => discovery(url, clientId, undefined, None(), options));

/** RFC 8414 first, then OpenID Connect Discovery, as MCP orders them; the issuer must be the one that was asked for. */
async function inEitherForm(
  issuer: string,
  fetch: WebFetch,
  work: (issuer: URL, options: DiscoveryRequestOptions) => Promise<Configuration>,
): Promise<Configuration> {
  const options: DiscoveryRequestOptions = {
    [customFetch]: (url, { method, headers, body, signal }) =>
      fetch(url, { method, headers, body, ...(signal === undefined ? {} : { signal }) }),
    execute: issuer.startsWith('http:') ? [allowInsecureRequests] : [],
  };
  let configuration: Configuration;
  try {
    configuration = await work(new URL(issuer), { ...options, algorithm: 'oauth2' });
  } catch {
    // The second way's error is the one to show: it is where most issuers publish.
    configuration = await work(new URL(issuer), { ...options, algorithm: 'oidc' });
  }
  const { issuer: named } = configuration.serverMetadata();
  if (named !== issuer) throw new Error(`the metadata of ${issuer} speaks for another issuer`);
  return configuration;
}

type Tokens = Awaited<ReturnType<typeof refreshTokenGrant>>;

/** A refresh without a new refresh token leaves the old one in force (RFC 6749 section 6). */
function tokensOf(
  tokens: Tokens,
  asked: string | undefined,
  before?: string,
): Pick<LogIn, 'accessToken'> & Partial<LogIn> {
  const refreshToken = tokens.refresh_token ?? before;
  const scope = tokens.scope ?? asked;
  return {
    accessToken: tokens.access_token,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(scope === undefined ? {} : { scope }),
  };
}

/** `invalid_grant` and the like: the issuer has answered, and will not answer otherwise next time. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  'status' in error &&
  typeof error.status === 'number' &&
  error.status >= 400 &&
  error.status < 500;
