/** Servers that the gateway calls as itself, with a token that it asks a real authorization server for. */

import { generateKeyPairSync } from 'node:crypto';

import { exportJWK, importSPKI } from 'jose';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { startOAuthServer, type OAuthServer } from './fixtures/oauth-server.ts';
import { startTokenIssuer, type TokenIssuer } from './fixtures/token-issuer.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send } from './harness/http.ts';
import { until } from './harness/until.ts';

// Each starts two identity providers, a server and a gateway, which takes long where others are at work.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

type World = { readonly issuer: TokenIssuer; readonly server: OAuthServer; readonly gateway: TestGateway };

const SECRET = 'a-secret-of-the-gateway-that-nobody-sees';

async function startWorld(
  auth: string,
  options: { tokenSeconds?: number; files?: Record<string, string>; jwk?: object } = {},
) {
  const issuer = await startTokenIssuer({
    scopes: ['mcp'],
    ...(options.tokenSeconds === undefined ? {} : { tokenSeconds: options.tokenSeconds }),
    clients: [
      {
        client_id: 'gateway',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        ...(options.jwk === undefined
          ? { client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic' }
          : {
              token_endpoint_auth_method: 'private_key_jwt',
              token_endpoint_auth_signing_alg: 'ES256',
              jwks: { keys: [options.jwk] },
            }),
      },
    ],
  });
  cleanups.push(() => issuer.close());
  const server = await startOAuthServer({ issuer: () => issuer.issuer });
  cleanups.push(() => server.close());
  const gateway = await startTestGateway({
    env: { GATEWAY_SECRET: SECRET },
    files: options.files ?? {},
    yaml: [
      'loopBreaker: off',
      'servers:',
      `  guarded:`,
      `    url: "${server.url}"`,
      `    allow: [{ anyone: true, tools: ["*"] }]`,
      `    auth: { type: client-credentials, clientId: gateway, ${auth.replace('ISSUER', issuer.issuer)} }`,
    ].join('\n'),
  });
  cleanups.push(() => gateway.close());
  return { issuer, server, gateway } satisfies World;
}

const whoami = async ({ gateway }: World) => {
  const request = modern('tools/call', { name: 'whoami', arguments: {} });
  return send(`${gateway.url}/servers/guarded/mcp`, {
    ...request,
    headers: { ...request.headers, ...bearer(gateway.keys['alice'] ?? '') },
  });
};

const listed = ({ gateway }: World) =>
  until('the server is listed', () => gateway.gateway.status().servers.some(({ state }) => state === 'healthy'));

describe('a server that is called as the gateway itself', () => {
  test('gets a token that is for it alone, asked for once, and never the caller’s own', async () => {
    const world = await startWorld('clientSecret: env:GATEWAY_SECRET, scopes: [mcp], trustedOrigins: ["ISSUER"]');
    await listed(world);
    const answers = await Promise.all(Array.from({ length: 20 }, () => whoami(world)));
    for (const { text } of answers) expect(text).toContain('\\"clientId\\":\\"gateway\\"');
    expect(world.issuer.asked()).toBe(1);
    expect(new Set(world.server.seen).size).toBe(1);
    expect(world.server.seen.join()).not.toContain(world.gateway.keys['alice'] ?? 'x');
    const list = await sallyport(['credentials', 'list', '--url', world.gateway.gateway.operationsUrl ?? '']);
    expect(list.out).toMatch(
      /^gateway +guarded +client-credentials +good .* env:GATEWAY_SECRET\n +scopes mcp; \d+ tools?: .*whoami/mu,
    );
    const written = JSON.stringify([world.gateway.records(), world.gateway.log, list]);
    expect(written).toContain('client-credentials');
    for (const secret of [SECRET, world.server.seen[0]?.slice('Bearer '.length) ?? 'x']) {
      expect(written).not.toContain(secret);
    }
  });

  test('is asked for with a signed assertion where a private key is configured', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const jwk = { ...(await exportJWK(await importSPKI(publicKey, 'ES256'))), kid: 'mine', use: 'sig' };
    const world = await startWorld('privateKey: "file:key.pem", keyId: mine, issuer: "ISSUER"', {
      files: { 'key.pem': privateKey },
      jwk,
    });
    await listed(world);
    expect((await whoami(world)).text).toContain('\\"clientId\\":\\"gateway\\"');
  });

  test('has a new token before the old one ends, without a call that fails', async () => {
    const world = await startWorld('clientSecret: env:GATEWAY_SECRET, trustedOrigins: ["ISSUER"]', { tokenSeconds: 4 });
    await listed(world);
    await until('three tokens', async () => {
      expect((await whoami(world)).text).toContain('gateway');
      return world.issuer.asked() >= 3;
    });
    expect(new Set(world.server.seen).size).toBeGreaterThanOrEqual(2);
  });

  test.each([
    [
      'a private authorization server that the operator did not name',
      'clientSecret: env:GATEWAY_SECRET',
      /the log says why/,
    ],
    ['a secret that leads nowhere', 'clientSecret: env:WRONG_SECRET, trustedOrigins: ["ISSUER"]', /the log says why/],
    [
      'another issuer than the server takes tokens of',
      'clientSecret: env:GATEWAY_SECRET, issuer: "http://127.0.0.1:9"',
      /No token/,
    ],
  ])('is not called, and the server is said to be unusable, with %s', async (_, auth, said) => {
    const world = await startWorld(auth);
    await until('the server is unusable', () =>
      world.gateway.gateway.status().servers.some(({ state }) => state === 'unhealthy'),
    );
    expect(JSON.stringify(world.gateway.gateway.status().servers)).toMatch(said);
    expect(world.server.seen).toEqual([]);
  });
});
