/** What `oidc-provider` is told: which flows there are (one: code with PKCE), for what tokens are, and what they say. */

import { randomUUID } from 'node:crypto';

import type {
  Adapter,
  AdapterFactory,
  AllClientMetadata,
  ClientMetadata,
  Configuration,
  KoaContextWithOIDC,
} from 'oidc-provider';

import { SERVER_ID } from '../../config/server-schema.ts';
import type { ClientDocuments } from './client-documents.ts';
import type { IdentityKeys } from './keys.ts';
import { isLoopbackOrigin } from './loopback.ts';
import { pageHeaders } from './page.ts';
import { errorPage } from './pages.ts';
import type { IdentityStore } from './store.ts';
import type { Users } from './users.ts';

export type ConfigurationParts = {
  readonly keys: IdentityKeys;
  readonly store: IdentityStore;
  readonly documents: ClientDocuments;
  readonly users: Users;
  /** The gateway's, as long as it is known: no trailing slash. */
  readonly publicUrl: () => string | undefined;
  /** What a token for the gateway can be good for. */
  readonly scopes: readonly string[];
  readonly clients: readonly ClientMetadata[];
  readonly accessTokenSeconds: number;
};

type InvalidTarget = new (message: string) => Error;

/** The gateway itself, as a client: it sends a browser here to learn who is in front of it. */
export const GATEWAY_CLIENT_ID = 'sallyport-gateway';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `/mcp`, or `/servers/{id}/mcp` of an id that a server can have; whether it has, nobody learns here. */
function isEndpoint(path: string): boolean {
  const [, id] = /^\/servers\/([^/]+)\/mcp$/.exec(path) ?? [];
  return path === '/mcp' || (id !== undefined && SERVER_ID.test(id));
}

export function createConfiguration(parts: ConfigurationParts, invalidTarget: InvalidTarget): Configuration {
  const { keys, documents, accessTokenSeconds } = parts;
  return {
    ...FLOWS,
    ...whoPeopleAre(parts.users),
    adapter: adapterFactory(parts),
    clients: parts.clients,
    jwks: keys.jwks,
    cookies: {
      // Cookies of one host are shared by all its ports: these names are nobody else's.
      names: { session: 'sallyport_idp', interaction: 'sallyport_idp_interaction', resume: 'sallyport_idp_resume' },
      keys: [...keys.cookieKeys],
      short: { httpOnly: true, sameSite: 'lax', signed: true },
      long: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      registration: { enabled: true, issueRegistrationAccessToken: false, idFactory: registeredId },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02', allowFetch: (_ctx, id) => id.length <= 500 },
      resourceIndicators: resourceIndicators(parts, invalidTarget),
    },
    fetch: documents.fetch,
    loadExistingGrant,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError,
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: MINUTE,
      IdToken: 10 * MINUTE,
      Interaction: 10 * MINUTE,
      Session: 8 * HOUR,
      RefreshToken: 14 * DAY,
      Grant: 14 * DAY,
    },
  };
}

/** One flow, the code with PKCE, for everyone; and refresh tokens that change with every use. */
const FLOWS: Configuration = {
  responseTypes: ['code'],
  pkce: { required: () => true },
  clientDefaults: {
    // What MCP clients are: applications of a person that await the answer on loopback, on a port of the moment.
    application_type: 'native',
    // RFC 7591 section 2: whoever does not say otherwise gets a secret.
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    id_token_signed_response_alg: 'ES256',
  },
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
  // Pages of this machine, such as the MCP Inspector's, talk to the token endpoint; others do not get as far as this.
  clientBasedCORS: (_ctx, origin) => isLoopbackOrigin(origin),
  issueRefreshToken: (_ctx, client, source) =>
    client.grantTypeAllowed('refresh_token') && source.scopes.has('offline_access'),
  rotateRefreshToken: true,
  expiresWithSession: (_ctx, source) => !source.scopes.has('offline_access'),
};

/**
 * The id of a client that registers, and the last moment before its registration is judged. The MCP Inspector sends
 * `scope: ""` to a resource that names no scopes; an empty member says nothing, and is taken for one that is not there.
 */
function registeredId(ctx: KoaContextWithOIDC): string {
  const { body = {} } = ctx.oidc;
  for (const [name, value] of Object.entries(body)) if (value === '') delete body[name];
  return randomUUID();
}

function whoPeopleAre(users: Users): Configuration {
  return {
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'] },
    // The gateway reads groups from the id token, without another request.
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => {
      const claims = users.claimsOf(sub);
      return claims && { accountId: sub, claims: () => ({ sub, ...claims }) };
    },
    extraTokenClaims: (_ctx, token) => {
      const claims = 'accountId' in token ? users.claimsOf(token.accountId) : undefined;
      return claims && { preferred_username: claims.preferred_username, groups: claims.groups };
    },
  };
}

const renderError: Configuration['renderError'] = (ctx, out) => {
  for (const [name, value] of Object.entries(pageHeaders())) ctx.set(name, value);
  const problem = out.error_description ?? out.error;
  ctx.body =
    problem === 'client is invalid'
      ? errorPage('This client is not known here.', 'Let it forget its log-in, and connect again: it registers anew.')
      : errorPage(problem, 'The client asked for something that this provider does not give.');
};

/** Tokens are for one endpoint of the gateway, and the audience says which (RFC 8707). */
function resourceIndicators(
  { publicUrl, scopes, accessTokenSeconds }: ConfigurationParts,
  invalidTarget: InvalidTarget,
) {
  return {
    enabled: true,
    // Who only wants to know who someone is needs no resource; everybody else has to say for what the token is.
    defaultResource: (ctx: KoaContextWithOIDC, _client: unknown, oneOf?: readonly string[]): string | undefined => {
      if (oneOf !== undefined) throw new invalidTarget('ask for one resource at a time');
      if (ctx.oidc.params?.['scope']?.toString().split(' ').includes('openid') === true) return undefined;
      throw new invalidTarget('the parameter "resource" must name an endpoint of the gateway (RFC 8707)');
    },
    useGrantedResource: () => true,
    getResourceServerInfo: (_ctx: KoaContextWithOIDC, resource: string) => {
      const base = publicUrl();
      const path = base !== undefined && resource.startsWith(base) ? resource.slice(base.length) : '';
      if (!isEndpoint(path)) {
        throw new invalidTarget(`the resource must be ${base ?? ''}/mcp or ${base ?? ''}/servers/{id}/mcp`);
      }
      return {
        scope: scopes.join(' '),
        audience: resource,
        accessTokenTTL: accessTokenSeconds,
        accessTokenFormat: 'jwt' as const,
        jwt: { sign: { alg: 'ES256' as const } },
      };
    },
  };
}

/** Clients that register are remembered; the gateway and documents on this machine are looked up. */
function adapterFactory({ store, documents, publicUrl }: ConfigurationParts): AdapterFactory {
  return (model) => {
    const adapter = store.adapter(model);
    if (model !== 'Client') return adapter;
    const find: Adapter['find'] = async (id) =>
      id === GATEWAY_CLIENT_ID ? gatewayClient(publicUrl()) : ((await adapter.find(id)) ?? (await documents.find(id)));
    return { ...adapter, find };
  };
}

function gatewayClient(publicUrl: string | undefined): AllClientMetadata | undefined {
  if (publicUrl === undefined) return undefined;
  return {
    client_id: GATEWAY_CLIENT_ID,
    client_name: 'Sallyport',
    application_type: 'web',
    token_endpoint_auth_method: 'none',
    redirect_uris: [`${publicUrl}/login/callback`],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    scope: 'openid profile groups',
    // Approvals ask how fresh a log-in is.
    require_auth_time: true,
  };
}

/** The gateway needs no consent to learn who its own user is. Everybody else is asked: what is granted is per client. */
async function loadExistingGrant(ctx: KoaContextWithOIDC) {
  const { provider, client, session, account, result } = ctx.oidc;
  if (client === undefined || session === undefined) return undefined;
  const grantId = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  if (known !== undefined && known.accountId === account?.accountId) return known;
  if (client.clientId !== GATEWAY_CLIENT_ID || account === undefined) return undefined;
  const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  grant.addOIDCScope('openid profile groups');
  await grant.save();
  return grant;
}
