/**
 * A real identity provider for demos and tests, with users of its own: `oidc-provider` behind a small listener. It is for
 * one machine only. It speaks plain HTTP and its passwords are printed in a terminal, so it listens on loopback and
 * nowhere else, and answers to no name but its own (a page of another site whose name leads here is turned away).
 */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

import type { ClientMetadata } from 'oidc-provider';

import { classifyAddress } from '../egress/addresses.ts';
import { createEgress } from '../egress/egress.ts';
import { listen } from '../entrypoint/listen.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createClientDocuments } from './identity/client-documents.ts';
import { createConfiguration } from './identity/configuration.ts';
import { createFrontDoor } from './identity/front-door.ts';
import { createInteractions } from './identity/interactions.ts';
import { loadIdentityKeys } from './identity/keys.ts';
import { LOOPBACK_HOSTS } from './identity/loopback.ts';
import { createIdentityStore } from './identity/store.ts';
import { createUsers, type DemoUser } from './identity/users.ts';

export type IdentityProviderOptions = {
  /** `127.0.0.1`, `::1` or `localhost`. Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes any. */
  readonly port: number;
  /** The gateway's, whose endpoints tokens can be for; a function where the gateway starts later. */
  readonly publicUrl: string | (() => string | undefined);
  /** Default: alice, bob and carol, each with the name as password: for tests, where nobody else logs in. */
  readonly users?: readonly DemoUser[];
  /** What a token for an endpoint can be good for; the first is for who asks for none. Default `mcp`. */
  readonly scopes?: readonly string[];
  /** Clients that are known beforehand, beside `sallyport-gateway`. */
  readonly clients?: readonly ClientMetadata[];
  /** Default 600. */
  readonly accessTokenSeconds?: number;
  /** Private files, so that a restart goes unnoticed. Absent: everything is forgotten. */
  readonly files?: { readonly keys: string; readonly store: string };
  readonly log?: Pick<Logger, 'warn'>;
};

export type IdentityProvider = {
  /** Its identifier, which is where it listens: `http://127.0.0.1:8081`. */
  readonly issuer: string;
  close(): Promise<void>;
};

export const TEST_USERS: readonly DemoUser[] = [
  { name: 'alice', password: 'alice', groups: ['engineering'] },
  { name: 'bob', password: 'bob', groups: ['support'] },
  { name: 'carol', password: 'carol', groups: ['dba'] },
];

const DEFAULT_SCOPES = ['mcp'];

/**
 * @throws RangeError for an address that is not loopback.
 * @throws ListenError when it cannot listen there.
 */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const host = options.host ?? '127.0.0.1';
  if (!LOOPBACK_HOSTS.has(host)) {
    throw new RangeError(
      `The identity provider of the demo listens on 127.0.0.1, ::1 or localhost only, not on ${host}. ` +
        'For other machines use a real one and name it under identity.issuers.',
    );
  }
  // Loaded here and not above: it is a package of the checkout, which an installed gateway does not have.
  const [{ Provider }, { InvalidTarget }] = await Promise.all([
    import('oidc-provider/lib/provider.js'),
    import('oidc-provider/lib/helpers/errors.js'),
  ]);
  const server = createServer(LIMITS);
  server.maxConnections = 256;
  const { port } = await listen(server, { host, port: options.port });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => closeServer(server));
  assertLoopback(server);

  const issuer = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const egress = createEgress();
  opened.defer(() => egress.close());
  const store = createIdentityStore(options.files?.store);
  opened.defer(() => store.close());
  const users = createUsers(options.users ?? TEST_USERS);
  const { publicUrl, scopes = DEFAULT_SCOPES } = options;
  const configuration = createConfiguration(
    {
      keys: loadIdentityKeys(options.files?.keys),
      store,
      documents: createClientDocuments(egress),
      users,
      publicUrl: typeof publicUrl === 'string' ? () => publicUrl : publicUrl,
      scopes,
      clients: options.clients ?? [],
      accessTokenSeconds: options.accessTokenSeconds ?? 600,
    },
    InvalidTarget,
  );
  const provider = new Provider(issuer, configuration);
  const report = (error: unknown): void =>
    options.log?.warn(
      { reason: error instanceof Error ? error.message : String(error) },
      'the identity provider failed',
    );
  provider.on('server_error', (_ctx, error: Error) => report(error));
  // It is reported here; Koa would write it to the console.
  provider.silent = true;

  const interact = createInteractions(provider, users);
  server.on('request', createFrontDoor({ issuer, scopes, provide: provider.callback(), interact, report }));
  const parts = opened.move();
  return { issuer, close: () => parts.disposeAsync() };
}

const LIMITS = { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 16 * 1024 };

/** A name is believed only after the system has said where it leads. */
function assertLoopback(server: Server): void {
  const address = server.address();
  if (typeof address === 'object' && address !== null && classifyAddress(address.address) === 'loopback') return;
  throw new RangeError('The name localhost leads to another address than loopback on this machine. Use 127.0.0.1.');
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
