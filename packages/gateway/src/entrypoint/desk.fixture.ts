/**
 * The gateway's own pages and API with everything real before and behind them but the store of approvals: the identity
 * provider of the demo, the egress, Cedar, seals, sockets. And a browser without a window: it follows redirects and keeps cookies.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';

import { apiKeyDigest, createApiKey } from '../authn/api-key.ts';
import { createAuthenticator } from '../authn/bearer-authenticator.ts';
import { createBrowserLogin, type LoginIssuer } from '../authn/browser-login.ts';
import { withBrowserSessions } from '../authn/browser-principal.ts';
import { authorizerFor } from '../authz/authorizer-fixture.ts';
import { keptApprovals, type KeptApprovals } from '../authz/approvals.fixture.ts';
import { catalogOf, registered, toolItem } from '../catalog/catalog-fixture.ts';
import { startIdentityProvider, TEST_USERS, type IdentityProvider } from '../dev/identity-provider.ts';
import { createEgress } from '../egress/egress.ts';
import { createWebFetch } from '../egress/web-fetch.ts';
import type { GatewayEvent } from '../model/event.ts';
import { createAddressLimiter } from '../quota/address-limiter.ts';
import { constant, worldOf, type World } from '../pipeline/pipeline.fixture.ts';
import { createSealer } from '../seal/aead-sealer.ts';
import { newKeyRing } from '../seal/key-ring.ts';
import { start, type Running } from './entrypoint.fixtures.ts';

export type Desk = {
  readonly url: string;
  readonly provider: IdentityProvider;
  readonly approvals: KeptApprovals;
  readonly world: World;
  readonly keys: Readonly<Record<'alice' | 'carol', string>>;
  readonly logged: readonly string[];
  /** What the record was told beside calls. */
  readonly events: readonly GatewayEvent[];
  readonly clock: { nowMs: number };
  close(): Promise<void>;
};

export type DeskOptions = {
  readonly policies?: string;
  /** False: no issuer has a `login`. */
  readonly login?: boolean;
  readonly loginWith?: Partial<LoginIssuer>;
  readonly allowedOrigins?: readonly string[];
  /** Of the identity provider, for the client `confidential`. */
  readonly secret?: string;
  /** More issuers to log in at, after the first. */
  readonly more?: readonly LoginIssuer[];
};

const POLICIES = [
  'permit (principal, action == Action::"callTool", resource == Tool::"db/select");',
  '@id("drop") @approval("group:dba") permit (principal, action == Action::"callTool", resource == Tool::"db/drop_table");',
  '@id("auditors") permit (principal in Group::"auditors", action == Action::"askAccessOfOthers", resource);',
].join('\n');

export const DB_CATALOG = catalogOf(
  registered('db', {
    tools: [
      toolItem('select', { inputSchema: { type: 'object', properties: { limit: { type: 'integer' } } } }),
      toolItem('drop_table'),
      toolItem('hidden'),
    ],
  }),
);

export async function startDesk(options: DeskOptions = {}): Promise<Desk> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const provider = await startIdentityProvider({
    port: 0,
    publicUrl: url,
    ...(options.secret === undefined ? {} : { clients: [confidential(options.secret, url)] }),
    users: [
      ...TEST_USERS,
      { name: 'many', password: 'many', groups: Array.from({ length: 200 }, (_, at) => `organisation-unit-${at}`) },
    ],
  });
  const egress = createEgress();
  const clock = { nowMs: Date.now() };
  const now = (): number => clock.nowMs;
  const approvals = keptApprovals(now);
  const keys = { alice: createApiKey(randomBytes).key.expose(), carol: createApiKey(randomBytes).key.expose() };
  const issuer: LoginIssuer = {
    issuer: provider.issuer,
    clientId: 'sallyport-gateway',
    scopes: ['profile', 'groups'],
    sessionMs: 900_000,
    ...options.loginWith,
  };
  const issuers = [issuer, ...(options.more ?? [])];
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const events: GatewayEvent[] = [];
  const note = (event: GatewayEvent): void => void events.push(event);
  const bearer = createAuthenticator({
    apiKeys: Object.entries(keys).map(([name, key]) => ({
      name,
      hash: apiKeyDigest(key),
      groups: name === 'carol' ? ['dba', 'auditors'] : ['engineering'],
      tenant: 'default',
    })),
    issuers: [],
    audiences: () => [url],
    fetchJson: () => Promise.reject(new Error('not asked')),
    failedAttempts: createAddressLimiter({ count: 60, periodMs: 60_000, burst: 60, text: '60/minute', now: () => 0 }),
    note,
    now,
    log,
  });
  const world = worldOf({
    catalog: constant(DB_CATALOG),
    authorizer: constant(authorizerFor(options.policies ?? POLICIES)),
    approvals,
    authenticator: withBrowserSessions(bearer, { issuers, now, log, note }),
  });
  const login = createBrowserLogin({
    issuers,
    publicUrl: url,
    fetch: createWebFetch(egress, { policyOf: () => 'configured', maxBytes: 100_000, timeoutMs: 2_000 }),
    now,
    newId: randomUUID,
    log,
  });
  const running: Running = await start(undefined, {
    pipeline: world.pipeline,
    publicUrl: url,
    note,
    sealer: createSealer(newKeyRing(randomBytes), { now, randomBytes }),
    allowedOrigins: options.allowedOrigins ?? [],
    now,
    ...(options.login === false ? {} : { login }),
    port,
  });
  return {
    url,
    provider,
    approvals,
    world,
    keys,
    logged: running.logged,
    events,
    clock,
    async close() {
      await running.entrypoint.close(0);
      await Promise.all([provider.close(), egress.close()]);
    },
  };
}

const confidential = (secret: string, url: string) => ({
  client_id: 'confidential',
  client_secret: secret,
  token_endpoint_auth_method: 'client_secret_basic' as const,
  redirect_uris: [`${url}/login/callback`],
  scope: 'openid profile groups',
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const bound = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return bound.port;
}

export type Seen = { readonly status: number; readonly url: string; readonly headers: Headers; readonly text: string };

/** What a person's browser does for our pages: cookies by name and origin, redirects, forms with their origin. */
export class Visitor {
  readonly cookies = new Map<string, string>();

  /** One request, no redirect followed. */
  async ask(url: string, init: RequestInit = {}): Promise<Seen> {
    const { origin } = new URL(url);
    const own = [...this.cookies].filter(([name]) => name.startsWith(`${origin} `));
    const cookie = own.map(([name, value]) => `${name.slice(origin.length + 1)}=${value}`).join('; ');
    const headers = new Headers(init.headers);
    if (cookie !== '' && !headers.has('cookie')) headers.set('cookie', cookie);
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) this.#keep(origin, line);
    return { status: response.status, url, headers: response.headers, text: await response.text() };
  }

  async get(url: string): Promise<Seen> {
    return this.#follow(await this.ask(url));
  }

  async post(url: string, fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) {
    const from = new URL(url).origin;
    return this.#follow(
      await this.ask(url, { method: 'POST', body: new URLSearchParams(fields), headers: { origin: from, ...headers } }),
    );
  }

  /** Opens a page of ours, and logs in on the way to it. */
  async logIn(name: string, page: string): Promise<Seen> {
    const form = await this.get(page);
    const action = /<form method="post" action="([^"]*\/login)"/.exec(form.text)?.[1];
    if (action === undefined)
      throw new Error(`no log-in form at ${form.url}: ${form.status} ${form.text.slice(0, 500)}`);
    return this.post(new URL(action, form.url).href, { name, password: name });
  }

  async #follow(seen: Seen): Promise<Seen> {
    let at = seen;
    for (let hops = 0; hops < 12; hops += 1) {
      const location = at.status >= 300 && at.status < 400 ? at.headers.get('location') : null;
      if (location === null) return at;
      at = await this.ask(new URL(location, at.url).href);
    }
    throw new Error(`too many redirects: ${at.url}`);
  }

  #keep(origin: string, line: string): void {
    const [pair = ''] = line.split(';');
    const equals = pair.indexOf('=');
    const name = `${origin} ${pair.slice(0, equals)}`;
    if (/Max-Age=0|Expires=Thu, 01 Jan 1970/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, pair.slice(equals + 1));
  }
}

export const tokenIn = ({ text }: Seen): string => /name="token" value="([^"]+)"/.exec(text)?.[1] ?? '';
