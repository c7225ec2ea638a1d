/** A gateway whose callers log in at the identity provider of the demo, and official clients that do so. */

import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { StoryClient } from '../../examples/oauth-login/client-provider.ts';
import { openAndLogIn, type Person } from '../../examples/oauth-login/person.ts';
import {
  startIdentityProvider,
  type IdentityProvider,
  type IdentityProviderOptions,
} from '../../packages/gateway/src/dev/identity-provider.ts';
import { startMisbehavingServer } from '../fixtures/misbehaving-http.ts';
import type { ClientKind } from '../matrix/clients.ts';
import { startTestGateway, type TestGateway } from './gateway.ts';

export type LogInSite = {
  readonly identity: IdentityProvider;
  readonly gateway: TestGateway;
  close(): Promise<void>;
};

/** The rights are groups', as in the demo: engineering may call everything, support may call `ok`. */
export async function startLogInSite(
  options: Omit<Partial<IdentityProviderOptions>, 'publicUrl'> = {},
): Promise<LogInSite> {
  let publicUrl: string | undefined;
  const [upstream, identity] = await Promise.all([
    startMisbehavingServer(),
    startIdentityProvider({ port: 0, ...options, publicUrl: () => publicUrl }),
  ]);
  const server = (id: string, support: string): string =>
    `  ${id}: { url: "${upstream.url}", allow: [{ group: engineering, tools: ["*"] }, { group: support, tools: [${support}] }] }`;
  const gateway = await startTestGateway({
    yaml: [
      `  issuers: [{ issuer: "${identity.issuer}" }]`,
      'servers:',
      server('plain', 'ok'),
      server('other', ''),
    ].join('\n'),
  });
  publicUrl = gateway.url;
  return {
    identity,
    gateway,
    async close() {
      await gateway.close();
      await Promise.all([identity.close(), upstream.close()]);
    },
  };
}

/** What the two SDKs' clients have in common here. */
export type ConnectedClient = Pick<ClientV2, 'listTools' | 'callTool' | 'close'>;

export type LogIn = {
  readonly kind: ClientKind;
  readonly endpoint: string;
  readonly person: Person;
  readonly application: StoryClient;
};

/** All that a client does by itself, from the first 401 to the first answer; a person does the rest. */
export async function connectByLogIn({ kind, endpoint, person, application }: LogIn): Promise<ConnectedClient> {
  const refused = await connect(kind, endpoint, application).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (application.authorizationUrl === undefined)
    throw new Error('the client asked nobody to log in', { cause: refused });
  await finishLogIn(kind, endpoint, application, await openAndLogIn(application.authorizationUrl, person));
  return connect(kind, endpoint, application);
}

/** Trades the code in the provider's answer for tokens. */
export async function finishLogIn(
  kind: ClientKind,
  endpoint: string,
  application: StoryClient,
  arrived: URL,
): Promise<void> {
  const answer = application.answerIn(arrived);
  if (kind === 'sdk-v1') await transportV1(endpoint, application).finishAuth(answer.get('code') ?? '');
  else await new TransportV2(new URL(endpoint), { authProvider: application }).finishAuth(answer);
}

const INFO = { name: 'log-in-client', version: '1.0.0' };

/** With the tokens that the application has. */
export async function connect(kind: ClientKind, endpoint: string, application: StoryClient): Promise<ConnectedClient> {
  if (kind === 'sdk-v1') {
    const client = new ClientV1(INFO);
    await client.connect(transportV1(endpoint, application));
    // The shapes that are read are the same; the two SDKs' declarations are not assignable to one another.
    return client as unknown as ConnectedClient;
  }
  const mode = kind === 'sdk-v2-modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new ClientV2(INFO, { versionNegotiation: { mode } });
  await client.connect(new TransportV2(new URL(endpoint), { authProvider: application }));
  return client;
}

const transportV1 = (endpoint: string, application: StoryClient): TransportV1 =>
  new TransportV1(new URL(endpoint), { authProvider: application });
