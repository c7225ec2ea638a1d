/** The authorization servers of servers with OAuth, as a configuration names them: for the gateway, and for commands. */

import type { OAuthConfig } from '../config/auth-config.ts';
import type { Config } from '../config/config.ts';
import type { ValueConfig } from '../config/secrets-config.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { GrantIssuer, GrantKey } from '../credential/grant.ts';
import { createClientRegistry, type OwnClient } from '../credential/oauth/client-registry.ts';
import { createGrantIssuer } from '../credential/oauth/grant-issuer.ts';
import { createOAuthSite, type OAuthSite } from '../credential/oauth/oauth-site.ts';
import type { OAuthWeb } from '../credential/oauth/oauth-web.ts';
import type { Egress } from '../egress/egress.ts';
import { createWebFetch } from '../egress/web-fetch.ts';
import { CLIENT_DOCUMENT_PATH, CONSENT_CALLBACK_PATH } from '../entrypoint/route.ts';

export type SiteParts = {
  readonly publicUrl: string;
  readonly egress: Egress;
  readonly resolve: (value: ValueConfig) => Promise<string>;
};

const MAX_ANSWER_BYTES = 256 * 1024;
const ANSWER_TIMEOUT_MS = 5_000;

export const ownClient = (publicUrl: string): OwnClient => ({
  redirectUri: publicUrl + CONSENT_CALLBACK_PATH,
  documentUrl: publicUrl.startsWith('https:') ? publicUrl + CLIENT_DOCUMENT_PATH : undefined,
});

/** Who issued the grants of people, for whoever only renews or revokes them. */
export function grantIssuers(config: Config, parts: SiteParts): (key: GrantKey) => GrantIssuer | undefined {
  const issuers = new Map(
    config.servers.flatMap((server): [string, GrantIssuer][] =>
      server.auth?.type === 'oauth' && server.transport.kind === 'http'
        ? [[server.id, createGrantIssuer({ site: oauthSite(server, server.auth, parts), now: Date.now })]]
        : [],
    ),
  );
  return ({ server }) => issuers.get(server);
}

/** A server that wants OAuth, and the gateway as a client of its authorization server. */
export function oauthSite(server: ServerConfig, auth: OAuthConfig<ValueConfig>, parts: SiteParts): OAuthSite {
  const { egress, resolve, publicUrl } = parts;
  const own = auth.type === 'oauth' ? ownClient(publicUrl) : undefined;
  const endpoint = server.transport.kind === 'http' ? server.transport.url : '';
  // Where the server is called is the operator's own word, and so is its authorization server where they named it.
  const trusted = new Set([new URL(endpoint).origin, ...auth.trustedOrigins]);
  const policyOf: OAuthWeb['policyOf'] = (url) => (trusted.has(new URL(url).origin) ? 'configured' : 'discovered');
  const fetch = createWebFetch(egress, { policyOf, maxBytes: MAX_ANSWER_BYTES, timeoutMs: ANSWER_TIMEOUT_MS });
  const web = { fetch, policyOf };
  const { clientId, clientSecret, privateKey, issuer, resource, scopes } = auth;
  const clients = createClientRegistry({
    web,
    ...(own === undefined ? {} : { own }),
    ...(clientId === undefined
      ? {}
      : {
          configured: {
            id: clientId,
            ...(clientSecret === undefined ? {} : { secret: () => resolve(clientSecret) }),
            ...(privateKey === undefined
              ? {}
              : { privateKey: { pem: () => resolve(privateKey.pem), keyId: privateKey.keyId } }),
          },
        }),
  });
  return createOAuthSite({
    server: server.id,
    endpoint,
    scopes,
    web,
    clients,
    now: Date.now,
    ...(issuer === undefined ? {} : { issuer }),
    ...(resource === undefined ? {} : { resource }),
  });
}
