/** Servers that are called with what a real authorization server gives for the caller's own token (RFC 8693). */

import { afterEach, describe, expect, test, vi } from 'vitest';

import { startOAuthServer, type OAuthServer } from './fixtures/oauth-server.ts';
import { startTokenIssuer, type TokenIssuer } from './fixtures/token-issuer.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

// Each starts an identity provider, a server and a gateway, which takes long where others are at work.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const SECRET = 'a-secret-of-the-gateway-that-nobody-sees';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

type World = {
  readonly issuer: TokenIssuer;
  readonly server: OAuthServer;
  readonly gateway: TestGateway;
  readonly endpoint: string;
  /** As somebody's client has it for the gateway. */
  tokenOf(name: string): Promise<string>;
};

async function startWorld(options: { auth?: string; tokenSeconds?: number } = {}): Promise<World> {
  const issuer = await startTokenIssuer({
    scopes: ['mcp'],
    tokenSeconds: options.tokenSeconds ?? 300,
    clients: [
      {
        client_id: 'gateway',
        client_secret: SECRET,
        grant_types: ['client_credentials', EXCHANGE],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: 'somebodys-client',
        client_secret: 'of-a-client-of-somebody',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
  });
  cleanups.push(() => issuer.close());
  const server = await startOAuthServer({ issuer: () => issuer.issuer });
  cleanups.push(() => server.close());
  const gateway = await startTestGateway({
    env: { GATEWAY_SECRET: SECRET },
    yaml: [
      `  issuers: [{ issuer: "${issuer.issuer}" }]`,
      'loopBreaker: off',
      'servers:',
      '  guarded:',
      `    url: "${server.url}"`,
      '    sharing: shared',
      '    allow: [{ anyone: true, tools: ["*"] }]',
      `    auth: { type: token-exchange, issuer: "${issuer.issuer}", clientId: gateway, clientSecret: env:GATEWAY_SECRET${options.auth ?? ''} }`,
    ].join('\n'),
  });
  cleanups.push(() => gateway.close());
  const endpoint = `${gateway.url}/servers/guarded/mcp`;
  await until('the server is listed', () => gateway.gateway.status().servers.some(({ state }) => state === 'healthy'));
  return { issuer, server, gateway, endpoint, tokenOf: (name) => issuer.exchange.mint(name, endpoint) };
}

function whoami({ endpoint }: World, token: string): Promise<HttpAnswer> {
  const { headers, body } = modern('tools/call', { name: 'whoami', arguments: {} });
  return send(endpoint, { body, headers: { ...headers, ...bearer(token) } });
}

const subjectIn = ({ text }: HttpAnswer): string | undefined => /\\"subject\\":\\"(\w+)\\"/.exec(text)?.[1];

describe('a server that is called with what the issuer gives for the caller’s token', () => {
  test('is called as each person, asked for once each, and never sees the caller’s own', async () => {
    const world = await startWorld();
    const [alice, bob] = [await world.tokenOf('alice'), await world.tokenOf('bob')];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => whoami(world, index % 2 === 0 ? alice : bob)),
    );
    expect(answers.map(subjectIn)).toEqual(Array.from({ length: 20 }, (_, index) => (index % 2 ? 'bob' : 'alice')));
    expect(world.issuer.exchange.exchanged.toSorted()).toEqual(['alice', 'bob']);
    const seen = world.server.seen.join('\n');
    for (const token of [alice, bob]) expect(seen).not.toContain(token);
  });

  test('leaves no token in the record or the log, but what kind it was', async () => {
    const world = await startWorld();
    const alice = await world.tokenOf('alice');
    expect(subjectIn(await whoami(world, alice))).toBe('alice');
    world.issuer.exchange.refuses.add('bob');
    const bob = await world.tokenOf('bob');
    await whoami(world, bob);
    const written = JSON.stringify([world.gateway.records(), world.gateway.log, world.gateway.gateway.status()]);
    expect(written).toContain('"token-exchange"');
    const exchanged = world.server.seen.map((header) => header.slice('Bearer '.length));
    for (const token of [alice, bob, SECRET, ...exchanged]) expect(written).not.toContain(token);
  });

  test('shows the caller’s token to the token endpoint of the issuer, as RFC 8693 has it', async () => {
    const world = await startWorld();
    const alice = await world.tokenOf('alice');
    await whoami(world, alice);
    const asked = world.issuer.bodies
      .map((body) => new URLSearchParams(body))
      .find((form) => form.has('subject_token'));
    expect(Object.fromEntries(asked ?? [])).toMatchObject({
      grant_type: EXCHANGE,
      subject_token: alice,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      resource: world.server.url,
      scope: 'mcp',
    });
  });

  test('is refused to whom the issuer gives nothing, and to nobody else, however often they try', async () => {
    const world = await startWorld();
    world.issuer.exchange.refuses.add('bob');
    const [alice, bob] = [await world.tokenOf('alice'), await world.tokenOf('bob')];
    for (let tries = 0; tries < 12; tries++) {
      expect((await whoami(world, bob)).text).toMatch(/issuer gives no token for guarded/);
    }
    expect(subjectIn(await whoami(world, alice))).toBe('alice');
  });

  test('is refused to whom comes with an API key, which no issuer is shown', async () => {
    const world = await startWorld();
    const key = world.gateway.keys['alice'] ?? '';
    expect((await whoami(world, key)).text).toMatch(/such as with an API key/);
    expect(world.issuer.exchange.exchanged).toEqual([]);
    expect(world.issuer.bodies.join('\n')).not.toContain(key);
  });

  test('has another token before the old one ends, without a call that fails', async () => {
    const world = await startWorld({ tokenSeconds: 4 });
    await until('three exchanges', async () => {
      expect(subjectIn(await whoami(world, await world.tokenOf('alice')))).toBe('alice');
      return world.issuer.exchange.exchanged.length >= 3;
    });
  });

  test.each([
    ['gives back what it was given', (world: World) => void (world.issuer.exchange.echoes = true)],
    [
      'gives a token that is for something else',
      (world: World) => void (world.issuer.exchange.issuedType = 'urn:ietf:params:oauth:token-type:id_token'),
    ],
  ])('is not called when the issuer %s', async (_, spoil) => {
    const world = await startWorld();
    spoil(world);
    const before = world.server.seen.length;
    expect((await whoami(world, await world.tokenOf('alice'))).text).toMatch(/the log says why/);
    expect(world.server.seen.length).toBe(before);
  });
});
