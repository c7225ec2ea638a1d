/**
 * As which client the gateway is known at an authorization server, in the order of MCP 2026-07-28
 * (basic/authorization/client-registration): the one that the operator registered, our own metadata document, and a
 * registration of the moment (RFC 7591). What was registered at one issuer is never shown to another.
 */

import type { JsonObject } from '../../model/json.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { OAuthError } from './oauth-error.ts';
import { postJson, type OAuthWeb } from './oauth-web.ts';
import { UnresolvedReferenceError } from '../secret-store.ts';
import { privateKeyFrom, type RegisteredClient } from './registered-client.ts';

export type ConfiguredClient = {
  readonly id: string;
  /** Read anew each time, so that a rotated one is used. */
  readonly secret?: () => Promise<string>;
  readonly privateKey?: { readonly pem: () => Promise<string>; readonly keyId: string | undefined };
};

export type ClientRegistryOptions = {
  readonly configured?: ConfiguredClient;
  /** Undefined where people do not log in: nothing is registered for them. */
  readonly own?: OwnClient;
  readonly web: OAuthWeb;
};

/** The gateway, as it describes itself to authorization servers. */
export type OwnClient = {
  readonly redirectUri: string;
  /** Only where authorization servers can fetch it: over https. */
  readonly documentUrl: string | undefined;
};

export interface ClientRegistry {
  /** @throws OAuthError `unregistered` */
  clientAt(server: AuthorizationServer, signal: AbortSignal): Promise<RegisteredClient>;
}

/** One server of the configuration has one issuer at a time; a few more, when it changes. */
const MAX_ISSUERS = 8;

export function createClientRegistry(options: ClientRegistryOptions): ClientRegistry {
  const { configured, own, web } = options;
  const registered = new Map<string, Promise<RegisteredClient>>();

  const register = (server: AuthorizationServer, endpoint: string, redirectUri: string): Promise<RegisteredClient> => {
    const known = registered.get(server.issuer);
    if (known !== undefined) return known;
    // For all who ask meanwhile: it ends with nobody's call, but has a time of its own.
    const registering = registerAt(web, server, { endpoint, redirectUri });
    const [oldest] = registered.keys();
    if (registered.size >= MAX_ISSUERS && oldest !== undefined) registered.delete(oldest);
    registered.set(server.issuer, registering);
    registering.catch(() => registered.delete(server.issuer));
    return registering;
  };

  return {
    async clientAt(server) {
      if (configured !== undefined) return proven(configured);
      if (own === undefined) throw new OAuthError('unregistered', 'no clientId is configured');
      if (server.takesMetadataDocuments && own.documentUrl !== undefined) {
        return { id: own.documentUrl, proof: { kind: 'none' } };
      }
      if (server.registrationEndpoint === undefined) {
        throw new OAuthError(
          'unregistered',
          `${server.issuer} registers no clients by itself. Register the gateway there, with the redirect URI ${own.redirectUri}, and set auth.clientId`,
        );
      }
      return register(server, server.registrationEndpoint, own.redirectUri);
    },
  };
}

async function proven(configured: ConfiguredClient): Promise<RegisteredClient> {
  try {
    return await readProof(configured);
  } catch (error) {
    if (error instanceof OAuthError) throw error;
    // It names the reference, never its value.
    const why = error instanceof UnresolvedReferenceError ? error.message : 'its secret cannot be read';
    throw new OAuthError('unregistered', `the client ${configured.id} cannot prove itself: ${why}`, error);
  }
}

async function readProof({ id, secret, privateKey }: ConfiguredClient): Promise<RegisteredClient> {
  if (privateKey !== undefined) {
    const key = privateKeyFrom(await privateKey.pem());
    const { keyId } = privateKey;
    return { id, proof: { kind: 'key', key, ...(keyId === undefined ? {} : { keyId }) } };
  }
  return { id, proof: secret === undefined ? { kind: 'none' } : { kind: 'secret', secret: await secret() } };
}

type Registering = { readonly endpoint: string; readonly redirectUri: string };

const REGISTER_MS = 10_000;
const CONFIDENTIAL = ['client_secret_basic', 'client_secret_post'] as const;

async function registerAt(
  web: OAuthWeb,
  { issuer, authenticationMethods }: AuthorizationServer,
  { endpoint, redirectUri }: Registering,
): Promise<RegisteredClient> {
  // Public where that is offered: what PKCE protects needs no secret, and none has to be kept for as long as its grants.
  const isPublic = authenticationMethods.includes('none');
  const asked = isPublic
    ? 'none'
    : (CONFIDENTIAL.find((method) => authenticationMethods.includes(method)) ?? CONFIDENTIAL[0]);
  let answer: JsonObject;
  try {
    answer = await postJson(web, endpoint, description(redirectUri, asked), AbortSignal.timeout(REGISTER_MS));
  } catch (error) {
    if (!(error instanceof OAuthError))
      throw new OAuthError('unreachable', `${issuer} did not register us in time`, error);
    const fault = error.fault === 'unreachable' ? error.fault : 'unregistered';
    throw new OAuthError(fault, `${issuer} did not register the gateway: ${error.message}`, error);
  }
  const { client_id: id, client_secret: secret, token_endpoint_auth_method: method = asked } = answer;
  if (typeof id !== 'string' || id === '')
    throw new OAuthError('unsuitable', `${issuer} registered us without a client_id`);
  if (method === 'none') return { id, proof: { kind: 'none' } };
  const known = CONFIDENTIAL.find((one) => one === method);
  if (typeof secret !== 'string' || known === undefined) {
    throw new OAuthError('unsuitable', `${issuer} registered us for a way of authentication that we did not ask for`);
  }
  return { id, proof: { kind: 'secret', secret, method: known } };
}

export const CLIENT_NAME = 'Sallyport';

const description = (redirectUri: string, method: string): JsonObject => ({
  client_name: CLIENT_NAME,
  redirect_uris: [redirectUri],
  // OpenID Connect Registration: `web` needs https; on loopback we are what it calls native.
  application_type: redirectUri.startsWith('https:') ? 'web' : 'native',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: method,
});

/** What stands at `documentUrl` (draft-ietf-oauth-client-id-metadata-document). */
export const clientDocument = ({ redirectUri, documentUrl }: OwnClient): JsonObject => ({
  client_id: documentUrl,
  client_uri: documentUrl === undefined ? undefined : new URL(documentUrl).origin,
  ...description(redirectUri, 'none'),
});
