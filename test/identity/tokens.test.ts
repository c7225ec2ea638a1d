/**
 * Tokens that must not be believed, and issuers that rotate or go away, over HTTP: a precise line in the log, a generic
 * answer, and nothing open.
 */

import { createHmac } from 'node:crypto';

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { signingKey, type SigningKey } from '../../packages/gateway/src/authn/issuer.fixture.ts';
import { startMisbehavingServer, type MisbehavingServer } from '../fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { until } from '../harness/until.ts';
import { comparable, post, startIdentityProvider, type IdentityProvider } from './world.ts';

const PATH = '/servers/plain/mcp';
const MINUTE_MS = 60_000;

let upstream: MisbehavingServer;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
});
afterAll(() => upstream?.close());
afterEach(() => {
  vi.useRealTimers();
});

const moveClock = (ms: number): void => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
};

/** A gateway and its issuers; `settings` are more of each issuer's own. */
async function worldOf(...settings: readonly string[]) {
  const idps = await Promise.all(settings.map(() => startIdentityProvider()));
  const issuers = idps.map(({ url }, index) => `{ issuer: "${url}"${settings[index] ?? ''} }`);
  const gateway = await startTestGateway({
    yaml: [
      '  failedAttempts: 10000/minute',
      `  issuers: [${issuers.join(', ')}]`,
      'servers:',
      `  plain: { url: "${upstream.url}", allow: [{ anyone: true, tools: ["*"] }] }`,
    ].join('\n'),
  });
  const audience = `${gateway.url}${PATH}`;
  return {
    idps,
    gateway,
    audience,
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await Promise.all(idps.map((idp) => idp.close()));
    },
  };
}

const lastReason = (gateway: TestGateway): unknown =>
  gateway.log.findLast(({ message }) => message === 'a credential was refused')?.['reason'];

describe('a token is refused', () => {
  let gateway: TestGateway;
  let idp: IdentityProvider;
  let audience: string;
  let stranger: SigningKey;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const world = await worldOf(', algorithms: [ES256], clockSkew: 10s');
    ({ gateway, audience } = world);
    [idp] = world.idps as [IdentityProvider];
    close = world[Symbol.asyncDispose];
    stranger = await signingKey('ES256', 'one');
  });
  afterAll(() => close?.());

  const seconds = (): number => Math.floor(Date.now() / 1000);
  const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const good = (): Record<string, unknown> => ({ iss: idp.url, sub: 'carol', aud: audience, exp: seconds() + 600 });

  /** What is wrong, the token, what the log says, and what the answer says where it is not the usual. */
  const rows: readonly (readonly [string, () => string | Promise<string>, RegExp, RegExp?])[] = [
    ['of another issuer', () => idp.token({ aud: audience, iss: 'https://evil.example' }), /unknown issuer "https/u],
    ['without an issuer', () => idp.token({ aud: audience, iss: undefined }), /unknown issuer/u],
    [
      'for another audience',
      () => idp.token({ aud: 'https://elsewhere.example/mcp' }),
      /another audience, "https:\/\/elsewhere\.example\/mcp", not for/u,
      /issued for another resource/u,
    ],
    ['without an audience', () => idp.token({}), /"aud"/u],
    ['with the algorithm none', () => `${b64({ alg: 'none' })}.${b64(good())}.x`, /"none" is not allowed/u],
    [
      'signed with the public key as an HMAC secret',
      () => {
        const body = `${b64({ alg: 'HS256', kid: 'one' })}.${b64(good())}`;
        return `${body}.${createHmac('sha256', JSON.stringify(idp.key.jwk)).update(body).digest('base64url')}`;
      },
      /"HS256" is not allowed/u,
    ],
    [
      'with an algorithm that the operator left out',
      async () => idp.token({ aud: audience }, { key: await signingKey('RS256', 'one') }),
      /"RS256" is not allowed/u,
    ],
    ['signed by a stranger', () => idp.token({ aud: audience }, { key: stranger }), /signature is wrong/u],
    [
      'that brings its own key',
      () => idp.token({ aud: audience }, { key: stranger, header: { typ: 'at+jwt', jwk: stranger.jwk } }),
      /signature is wrong/u,
    ],
    ['that expired', () => idp.token({ aud: audience, exp: seconds() - 15 }), /expired/u, /has expired/u],
    ['that is not valid yet', () => idp.token({ aud: audience, nbf: seconds() + 60 }), /nbf/u],
    ['issued in the future', () => idp.token({ aud: audience, iat: seconds() + 60 }), /iat lies in the future/u],
    ['without an expiry', () => idp.token({ aud: audience, exp: undefined }), /exp/u],
    ['without a subject', () => idp.token({ aud: audience, sub: undefined }), /sub/u],
    ['that is an id token', () => idp.token({ aud: audience, at_hash: 'x' }, { header: { typ: 'JWT' } }), /id token/u],
    ['of another type', () => idp.token({ aud: audience }, { header: { typ: 'dpop+jwt' } }), /typ "dpop\+jwt"/u],
    ['that is huge', () => idp.token({ aud: audience, junk: 'x'.repeat(9000) }), /longer than 8192/u],
    ['that is none', () => 'a.b.c', /not a JWT/u],
  ];

  test.for(rows)('%s', async ([, token, reason, message = /not valid here/u]) => {
    const text = await token();
    const answer = await post(gateway, PATH, text);
    expect(answer.status).toBe(401);
    expect(answer.json?.error?.message).toMatch(message);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", resource_metadata="/u);
    expect(lastReason(gateway)).toMatch(reason);
    const { requestId } = answer.json?.error?.data ?? {};
    expect(gateway.log.filter((line) => line['requestId'] === requestId)).toHaveLength(2);
    expect(JSON.stringify(gateway.log)).not.toContain(text);
  });

  test('within the clock skew of its issuer no more than beyond it by mistake', async () => {
    expect((await post(gateway, PATH, await idp.token({ aud: audience, exp: seconds() - 5 }))).status).toBe(200);
  });

  test('with the same bytes for what is wrong with it as for what else is wrong', async () => {
    const [one, other] = await Promise.all([
      idp.token({ aud: audience }, { key: stranger }),
      idp.token({ aud: audience, iss: 'https://evil.example' }),
    ]);
    expect(comparable(await post(gateway, PATH, one))).toEqual(comparable(await post(gateway, PATH, other)));
  });
});

describe('an issuer', () => {
  test('that rotates its key fails no request, and tokens of the key that is gone are refused', async () => {
    await using world = await worldOf('');
    const { gateway, audience } = world;
    const [idp] = world.idps as [IdentityProvider];
    const old = await idp.token({ aud: audience });
    expect((await post(gateway, PATH, old)).status).toBe(200);

    // Both keys are published for a while; nobody waited since the last fetch.
    const next = await signingKey('ES256', 'two');
    idp.publish(idp.key.jwk, next.jwk);
    const fresh = await idp.token({ aud: audience }, { key: next });
    const answers = await Promise.all([old, fresh, old, fresh].map((token) => post(gateway, PATH, token)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);

    idp.publish(next.jwk);
    const fetched = (): number => idp.requests.filter((path) => path === '/keys').length;
    const before = fetched();
    moveClock(11 * MINUTE_MS);
    expect((await post(gateway, PATH, fresh)).status).toBe(200);
    await until('the keys are renewed in the background', () => fetched() > before);
    await until('the old key is forgotten', async () => (await post(gateway, PATH, old)).status === 401);
    expect(lastReason(gateway)).toMatch(/no key for kid "one"/u);
    expect((await post(gateway, PATH, fresh)).status).toBe(200);
  });

  test('that is down: its keys serve until they expire, then a clean 503; others are not concerned', async () => {
    await using world = await worldOf('', '');
    const { gateway, audience } = world;
    const [idp, other] = world.idps as [IdentityProvider, IdentityProvider];
    const exp = Math.floor(Date.now() / 1000) + 4 * 3600;
    expect((await post(gateway, PATH, await idp.token({ aud: audience, exp }))).status).toBe(200);
    await idp.close();

    moveClock(55 * MINUTE_MS);
    expect((await post(gateway, PATH, await idp.token({ aud: audience, exp, jti: 'new' }))).status).toBe(200);
    moveClock(61 * MINUTE_MS);
    const token = await idp.token({ aud: audience, exp, jti: 'newer' });
    const answer = await post(gateway, PATH, token);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(answer.json?.error?.message).toContain('identity provider cannot be reached');
    expect(lastReason(gateway)).toContain(`no keys of ${idp.url}`);
    expect((await post(gateway, PATH, await other.token({ aud: audience, exp }))).status).toBe(200);
  });

  test('that hangs is waited for less than a second, by all who ask together', async () => {
    await using world = await worldOf('');
    const { gateway, audience } = world;
    const [idp] = world.idps as [IdentityProvider];
    idp.answerWith(() => undefined);
    const tokens = await Promise.all(['a', 'b', 'c'].map((jti) => idp.token({ aud: audience, jti })));
    const answers = await Promise.all(tokens.map((token) => post(gateway, PATH, token)));
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(gateway.log.find(({ message }) => message === 'the keys of an issuer could not be fetched')).toMatchObject({
      reason: 'no answer within 900 ms',
    });
    expect(idp.requests).toHaveLength(1);
    // An API key does not need it.
    expect((await post(gateway, PATH, gateway.keys.alice)).status).toBe(200);
  });

  test('may be one of several, and each signs for itself only', async () => {
    await using world = await worldOf('', ', tenantClaim: org, requireAccessTokenType: true');
    const { gateway, audience } = world;
    const [one, two] = world.idps as [IdentityProvider, IdentityProvider];
    expect((await post(gateway, PATH, await one.token({ aud: audience }))).status).toBe(200);
    expect((await post(gateway, PATH, await two.token({ aud: audience, org: 'acme' }))).status).toBe(200);
    expect((await post(gateway, PATH, await two.token({ aud: audience }))).status).toBe(401);
    expect(lastReason(gateway)).toContain('tenant claim org');
    expect(
      (await post(gateway, PATH, await two.token({ aud: audience, org: 'acme' }, { header: { typ: 'JWT' } }))).status,
    ).toBe(401);
    expect(lastReason(gateway)).toContain('typ "JWT"');
    const borrowed = await one.token({ aud: audience, iss: two.url, org: 'acme' });
    expect((await post(gateway, PATH, borrowed)).status).toBe(401);
    expect(lastReason(gateway)).toContain('signature is wrong');
  });
});
