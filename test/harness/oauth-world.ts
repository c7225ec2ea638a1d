/**
 * Everything that a consent needs, real: an identity provider where people log in to the gateway, another one that issues
 * tokens for a guarded MCP server, the server, and the gateway between them.
 */

import { createHash, randomBytes } from 'node:crypto';

import { openAndLogIn } from '../../examples/oauth-login/person.ts';
import { startIdentityProvider, type IdentityProvider } from '../../packages/gateway/src/dev/identity-provider.ts';
import { tokenIn, Visitor, type Seen } from '../../packages/gateway/src/entrypoint/desk.fixture.ts';
import { startOAuthServer, type OAuthServer, type OAuthServerOptions } from '../fixtures/oauth-server.ts';
import { startTestGateway, type TestGateway } from './gateway.ts';

export type OAuthWorld = {
  readonly gateway: TestGateway;
  /** Where people log in to the gateway. */
  readonly company: IdentityProvider;
  /** Who issues the server's tokens. */
  readonly issuer: IdentityProvider;
  readonly server: OAuthServer;
  /** The gateway's endpoint for the server. */
  readonly endpoint: string;
  /** What this person's client presents to the gateway. */
  tokenOf(name: string): Promise<string>;
  close(): Promise<void>;
};

export type OAuthWorldOptions = {
  /** More of the server's `auth`, in one line. */
  readonly auth?: string;
  readonly accessTokenSeconds?: number;
  readonly metadata?: OAuthServerOptions['metadata'];
  /** False: nobody can log in to the gateway with a browser. */
  readonly login?: boolean;
  /** Instead of a real one: the issuer that the server names. */
  readonly issuer?: string;
  readonly wait?: string;
};

const CLIENT = 'test-client';
const REDIRECT = 'http://127.0.0.1:9/callback';
/** A client of the server's issuer that gets no refresh tokens. */
export const NEVER_RENEWED = 'never-renewed';

export async function startOAuthWorld(options: OAuthWorldOptions = {}): Promise<OAuthWorld> {
  await using opened = new AsyncDisposableStack();
  const issuer: IdentityProvider = await startIdentityProvider({
    port: 0,
    publicUrl: () => server.origin,
    scopes: ['mcp', 'mcp:write'],
    clients: [
      {
        client_id: NEVER_RENEWED,
        token_endpoint_auth_method: 'none',
        // Of a native client any port will do (RFC 8252, 7.3).
        redirect_uris: ['http://127.0.0.1/oauth/callback'],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        application_type: 'native',
      },
    ],
    ...(options.accessTokenSeconds === undefined ? {} : { accessTokenSeconds: options.accessTokenSeconds }),
  });
  opened.defer(() => issuer.close());
  const server: OAuthServer = await startOAuthServer({
    issuer: () => options.issuer ?? issuer.issuer,
    ...(options.metadata === undefined ? {} : { metadata: options.metadata }),
  });
  opened.defer(() => server.close());
  let url: string | undefined;
  const company = await startIdentityProvider({
    port: 0,
    publicUrl: () => url,
    clients: [
      {
        client_id: CLIENT,
        token_endpoint_auth_method: 'none',
        redirect_uris: [REDIRECT],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        application_type: 'native',
      },
    ],
  });
  opened.defer(() => company.close());
  const login = options.login === false ? '' : ', login: { clientId: sallyport-gateway, scopes: [profile, groups] }';
  const gateway = await startTestGateway({
    yaml: [
      `  issuers: [{ issuer: "${company.issuer}"${login} }]`,
      `approvals: { wait: ${options.wait ?? '20s'} }`,
      'servers:',
      '  guarded:',
      `    url: "${server.url}"`,
      '    title: The Guarded Server',
      '    allow: [{ anyone: true, tools: ["*"] }]',
      `    auth: { type: oauth${options.auth === undefined ? `, issuer: "${issuer.issuer}"` : options.auth.replaceAll('ISSUER', issuer.issuer)} }`,
    ].join('\n'),
  });
  url = gateway.url;
  const endpoint = `${gateway.url}/servers/guarded/mcp`;
  const parts = opened.move();
  return {
    gateway,
    company,
    issuer,
    server,
    endpoint,
    tokenOf: (name) => tokenFor(company.issuer, endpoint, name),
    async close() {
      await gateway.close();
      await parts.disposeAsync();
    },
  };
}

async function tokenFor(issuer: string, resource: string, name: string): Promise<string> {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: CLIENT,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'mcp',
    resource,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const back = await openAndLogIn(new URL(`${issuer}/auth?${query.toString()}`), { name, password: name });
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: CLIENT,
      redirect_uri: REDIRECT,
      code: back.searchParams.get('code') ?? '',
      code_verifier: verifier,
      resource,
    }),
  });
  const { access_token: token } = (await answer.json()) as { access_token?: string };
  if (token === undefined) throw new Error(`no token for ${name}: ${answer.status}`);
  return token;
}

/** To the page where the person is asked, logging in to the gateway on the way. */
export const openConsent = (visitor: Visitor, name: string, link: string): Promise<Seen> => visitor.logIn(name, link);

/** The person says yes on our page. What comes back leads to the issuer. */
export function agree(visitor: Visitor, page: Seen, verdict = 'connect'): Promise<Seen> {
  const link = /name="link" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
  return visitor.post(new URL(new URL(page.url).pathname, page.url).href, { token: tokenIn(page), link, verdict });
}

/** Where the browser goes from there by itself. */
export function refreshOf(seen: Seen): string {
  const url = /^0; url=(.+)$/.exec(seen.headers.get('refresh') ?? '')?.[1];
  if (url === undefined) throw new Error(`leads nowhere: ${seen.status} ${seen.text.slice(-600)}`);
  return url;
}

/** At the issuer: log-in and consent. Ends at the address that leads back to the gateway. */
export const atIssuer = (url: string, name: string, answer: 'allow' | 'deny' = 'allow'): Promise<URL> =>
  openAndLogIn(new URL(url), { name, password: name, answer });

/** All of it. */
export async function consent(visitor: Visitor, name: string, link: string): Promise<Seen> {
  const page = await openConsent(visitor, name, link);
  const back = await atIssuer(refreshOf(await agree(visitor, page)), name);
  return visitor.get(back.href);
}
