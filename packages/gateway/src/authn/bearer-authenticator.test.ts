import { createHmac, randomBytes } from 'node:crypto';

import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Refusal, type FailureCode } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import { Secret } from '../model/secret.ts';
import type { Endpoint } from '../model/target.ts';
import type { LogFields } from '../telemetry/logger.ts';
import { createApiKey } from './api-key.ts';
import { createAuthenticator, type AuthenticatorOptions } from './bearer-authenticator.ts';
import { fetchJson, signingKey, signToken, startIssuer, type SigningKey, type TestIssuer } from './issuer.fixture.ts';

const FILES: Endpoint = { kind: 'server', server: 'files' };
const EVERYTHING: Endpoint = { kind: 'server', server: 'everything' };
const GATEWAY = 'https://gw.example';
const START_MS = 1_800_000_000_000;
const START_S = START_MS / 1000;
const KEY = createApiKey(randomBytes);

let issuer: TestIssuer;
let rsa: SigningKey;
let ec: SigningKey;
let stranger: SigningKey;

beforeAll(async () => {
  [issuer, rsa, ec, stranger] = await Promise.all([
    startIssuer(),
    signingKey('RS256', 'one'),
    signingKey('ES256', 'two'),
    signingKey('RS256', 'one'),
  ]);
});
afterAll(() => issuer.close());

type Line = { readonly level: string; readonly text: string };

function gateway(more: Partial<AuthenticatorOptions> = {}) {
  const clock = { nowMs: START_MS };
  const lines: Line[] = [];
  const attempts = { left: 100 };
  const note = (level: string) => (fields: LogFields, message: string) => {
    lines.push({ level, text: `${message}: ${Object.values(fields).join(', ')}` });
  };
  const authenticator = createAuthenticator({
    apiKeys: [{ name: 'alice', hash: KEY.hash, groups: ['engineering'], tenant: 'default' }],
    issuers: [{ issuer: issuer.url, groupsClaim: 'groups' }],
    audiences: (endpoint) => [endpoint.kind === 'server' ? `${GATEWAY}/servers/${endpoint.server}/mcp` : GATEWAY],
    fetchJson,
    failedAttempts: {
      allow: () => (attempts.left-- > 0 ? { allowed: true } : { allowed: false, retryAfterMs: 1234 }),
      giveBack: () => attempts.left++,
    },
    note: () => undefined,
    now: () => clock.nowMs,
    log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    // Generous: a loaded machine must not turn an answer into a refusal.
    fetchTimeoutMs: 10_000,
    ...more,
  });
  const present = (text: string | undefined, endpoint = FILES) =>
    authenticator.authenticate({
      requestId: 'request-1',
      presented: text === undefined ? {} : { bearer: new Secret(text) },
      endpoint,
      address: '192.0.2.1',
    });
  const codeOf = async (text: string | undefined, endpoint = FILES): Promise<FailureCode | Principal> => {
    try {
      return await present(text, endpoint);
    } catch (error) {
      if (error instanceof Refusal) return error.failure.code;
      throw error;
    }
  };
  return { clock, lines, attempts, present, codeOf };
}

const claims = (more: JWTPayload = {}): JWTPayload => ({
  iss: issuer.url,
  sub: 'user-1',
  aud: `${GATEWAY}/servers/files/mcp`,
  iat: START_S,
  exp: START_S + 3600,
  groups: ['engineering'],
  preferred_username: 'alice',
  scope: 'mcp:tools mcp:read',
  client_id: 'inspector',
  ...more,
});

const withoutClaim = (name: string): JWTPayload =>
  Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name));

describe('an API key', () => {
  it('is accepted at once, on every endpoint, as the same principal', () => {
    const { present } = gateway();
    const principal = present(KEY.key.expose());
    expect(principal).not.toBeInstanceOf(Promise);
    expect(principal).toMatchObject({ name: 'alice', groups: ['engineering'] });
    expect(present(KEY.key.expose(), EVERYTHING)).toBe(principal);
  });

  it('that is unknown uses up the attempts of its address; a good one does not', async () => {
    const { attempts, codeOf } = gateway();
    attempts.left = 2;
    const wrong = createApiKey(randomBytes).key.expose();
    expect(await codeOf(wrong)).toBe('invalid-credential');
    expect(await codeOf('sp_short')).toBe('invalid-credential');
    expect(await codeOf(wrong)).toBe('quota-exceeded');
    expect(await codeOf(KEY.key.expose())).toMatchObject({ name: 'alice' });
  });
});

describe('a token', () => {
  it('becomes a principal of its issuer, with groups, scopes and client', async () => {
    issuer.publish(rsa.jwk, ec.jwk);
    const { codeOf } = gateway();
    expect(await codeOf(await signToken(rsa, claims()))).toEqual({
      key: `7:default/${issuer.url.length}:${issuer.url}/user-1`,
      tenant: 'default',
      kind: 'user',
      issuer: issuer.url,
      subject: 'user-1',
      name: 'alice',
      groups: ['engineering'],
      scopes: ['mcp:tools', 'mcp:read'],
      clientId: 'inspector',
      credential: { kind: 'jwt', expiresAtMs: START_MS + 3_600_000 },
      claims: claims(),
    });
  });

  it.each<[string, () => Promise<string>]>([
    ['typ JWT', () => signToken(rsa, claims(), { typ: 'JWT' })],
    ['no typ', () => signToken(rsa, claims(), {})],
    ['another algorithm of the allow-list', () => signToken(ec, claims())],
    ['a list of audiences', () => signToken(rsa, claims({ aud: ['https://other', `${GATEWAY}/servers/files/mcp`] }))],
    ['no kid, while one key fits', () => signToken({ ...ec, kid: undefined }, claims())],
    ['an expiry within the clock skew', () => signToken(rsa, claims({ exp: START_S - 29 }))],
  ])('is accepted with %s', async (_, token) => {
    issuer.publish(rsa.jwk, ec.jwk);
    const { codeOf } = gateway();
    expect(await codeOf(await token())).toMatchObject({ name: 'alice' });
  });

  const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  it.each<[string, () => Promise<string> | string, FailureCode, RegExp]>([
    [
      'of another issuer',
      () => signToken(rsa, claims({ iss: 'https://evil.example' })),
      'invalid-credential',
      /unknown issuer/u,
    ],
    ['without an issuer', () => signToken(rsa, withoutClaim('iss')), 'invalid-credential', /unknown issuer/u],
    [
      'for another audience',
      () => signToken(rsa, claims({ aud: 'https://other.example' })),
      'wrong-audience',
      /another audience/u,
    ],
    ['without an audience', () => signToken(rsa, withoutClaim('aud')), 'invalid-credential', /aud/u],
    [
      'with the algorithm none',
      () => `${b64({ alg: 'none' })}.${b64(claims())}.x`,
      'invalid-credential',
      /"none" is not allowed/u,
    ],
    ['with an empty signature', () => `${b64({ alg: 'none' })}.${b64(claims())}.`, 'invalid-credential', /neither/u],
    [
      'signed with the public key as an HMAC secret',
      () => {
        const body = `${b64({ alg: 'HS256', kid: 'one' })}.${b64(claims())}`;
        return `${body}.${createHmac('sha256', JSON.stringify(rsa.jwk)).update(body).digest('base64url')}`;
      },
      'invalid-credential',
      /"HS256" is not allowed/u,
    ],
    [
      'signed by a stranger under a known kid',
      () => signToken(stranger, claims()),
      'invalid-credential',
      /signature is wrong/u,
    ],
    [
      'that brings its own key',
      () => signToken(stranger, claims(), { kid: 'one', jwk: stranger.jwk }),
      'invalid-credential',
      /signature/u,
    ],
    [
      'with one kid and another algorithm',
      () => signToken({ ...ec, kid: 'one' }, claims()),
      'invalid-credential',
      /no key/u,
    ],
    ['that expired', () => signToken(rsa, claims({ exp: START_S - 31 })), 'expired-credential', /expired/u],
    ['that is not valid yet', () => signToken(rsa, claims({ nbf: START_S + 60 })), 'invalid-credential', /nbf/u],
    [
      'issued in the future',
      () => signToken(rsa, claims({ iat: START_S + 60 })),
      'invalid-credential',
      /iat lies in the future/u,
    ],
    ['without an expiry', () => signToken(rsa, withoutClaim('exp')), 'invalid-credential', /exp/u],
    ['without a subject', () => signToken(rsa, withoutClaim('sub')), 'invalid-credential', /sub/u],
    [
      'with a critical header we do not know',
      () => signToken(rsa, claims(), { crit: ['urn:unknown'], 'urn:unknown': 1 }),
      'invalid-credential',
      /./u,
    ],
    ['of another type', () => signToken(rsa, claims(), { typ: 'dpop+jwt' }), 'invalid-credential', /typ "dpop\+jwt"/u],
    [
      'that is an id token',
      () => signToken(rsa, claims({ at_hash: 'x' }), { typ: 'JWT' }),
      'invalid-credential',
      /id token/u,
    ],
    ['that is a Keycloak id token', () => signToken(rsa, claims({ typ: 'ID' })), 'invalid-credential', /typ "ID"/u],
    [
      'that is a Cognito id token',
      () => signToken(rsa, claims({ token_use: 'id' })),
      'invalid-credential',
      /token_use/u,
    ],
    ['that is a logout token', () => signToken(rsa, claims({ events: {} })), 'invalid-credential', /event token/u],
    [
      'with its payload changed',
      async () => (await signToken(rsa, claims())).replace(/\.[^.]+\./u, `.${b64(claims({ sub: 'root' }))}.`),
      'invalid-credential',
      /signature is wrong/u,
    ],
    [
      'that is huge',
      () => signToken(rsa, claims({ junk: 'x'.repeat(8192) })),
      'invalid-credential',
      /longer than 8192/u,
    ],
    ['that is no token', () => 'a.b.c', 'invalid-credential', /not a JWT/u],
    ['that is of no known shape', () => 'hunter2', 'invalid-credential', /neither/u],
  ])('%s is refused, with the reason in our log only', async (...[, token, code, reason]) => {
    issuer.publish(rsa.jwk, ec.jwk);
    const { codeOf, lines } = gateway();
    const text = await token();
    expect(await codeOf(text)).toBe(code);
    expect(lines.at(-1)?.text).toMatch(reason);
    expect(lines.map((line) => line.text).join('')).not.toContain(text);
  });

  it('is not asked for in vain: nothing presented is a code of its own, and no attempt', async () => {
    const { codeOf, attempts } = gateway();
    expect(await codeOf(undefined)).toBe('unauthenticated');
    expect(await codeOf('')).toBe('unauthenticated');
    expect(attempts.left).toBe(100);
  });

  it('answers every refusal with the same message for the same code', async () => {
    issuer.publish(rsa.jwk);
    const { present } = gateway();
    const messages = await Promise.all(
      [await signToken(stranger, claims()), await signToken(rsa, claims({ typ: 'ID' })), 'hunter2'].map(
        async (text) => {
          try {
            await present(text);
            return 'accepted';
          } catch (error) {
            return error instanceof Error ? error.message : '';
          }
        },
      ),
    );
    expect(new Set(messages).size).toBe(1);
  });

  it('is verified once, is the same principal afterwards, and its audience is compared each time', async () => {
    issuer.publish(rsa.jwk);
    const { present, codeOf, attempts } = gateway();
    const token = await signToken(rsa, claims());
    const [first, second] = await Promise.all([present(token), present(token)]);
    expect(second).toBe(first);
    attempts.left = 0;
    expect(present(token)).toBe(first);
    expect(await codeOf(token, EVERYTHING)).toBe('wrong-audience');
    expect(await codeOf(await signToken(rsa, claims({ jti: 'new' })))).toBe('quota-exceeded');
  });

  it('is forgotten when it expires', async () => {
    issuer.publish(rsa.jwk);
    const { codeOf, clock } = gateway();
    const token = await signToken(rsa, claims({ exp: START_S + 60 }));
    expect(await codeOf(token)).toMatchObject({ name: 'alice' });
    clock.nowMs += 89_999;
    expect(await codeOf(token)).toMatchObject({ name: 'alice' });
    clock.nowMs += 1;
    expect(await codeOf(token)).toBe('expired-credential');
  });

  it('gives its attempt back when it was good', async () => {
    issuer.publish(rsa.jwk);
    const { codeOf, attempts } = gateway();
    await codeOf(await signToken(rsa, claims()));
    expect(attempts.left).toBe(100);
    await codeOf(await signToken(stranger, claims()));
    expect(attempts.left).toBe(99);
  });
});

describe('an issuer', () => {
  it('may be given a tenant, or say it in a claim that then must be there', async () => {
    issuer.publish(rsa.jwk);
    const token = await signToken(rsa, claims({ org: { name: 'acme' }, roles: 'admin' }));
    const ofIssuer = gateway({ issuers: [{ issuer: issuer.url, tenant: 'globex', groupsClaim: 'roles' }] });
    expect(await ofIssuer.codeOf(token)).toMatchObject({ tenant: 'globex', groups: ['admin'] });
    const ofClaim = gateway({ issuers: [{ issuer: issuer.url, tenantClaim: 'org.name' }] });
    expect(await ofClaim.codeOf(token)).toMatchObject({ tenant: 'acme' });
    expect(await ofClaim.codeOf(await signToken(rsa, claims()))).toBe('invalid-credential');
  });

  it('may have audiences of its own', async () => {
    issuer.publish(rsa.jwk);
    const { codeOf } = gateway({ issuers: [{ issuer: issuer.url, audiences: ['api://gateway'] }] });
    expect(await codeOf(await signToken(rsa, claims({ aud: 'api://gateway' })))).toMatchObject({ name: 'alice' });
  });

  it('may be limited to some algorithms', async () => {
    issuer.publish(rsa.jwk, ec.jwk);
    const { codeOf } = gateway({ issuers: [{ issuer: issuer.url, algorithms: ['ES256'] }] });
    expect(await codeOf(await signToken(rsa, claims()))).toBe('invalid-credential');
    expect(await codeOf(await signToken(ec, claims()))).toMatchObject({ name: 'alice' });
  });

  it.each([
    [{ issuer: 'http://idp.example' }],
    [{ issuer: 'http://127.evil.example' }],
    [{ issuer: 'https://idp.example', jwksUri: 'http://idp.example/keys' }],
    [{ issuer: 'https://idp.example', algorithms: ['HS256'] }],
    [{ issuer: 'https://idp.example', algorithms: ['none'] }],
    [{ issuer: 'https://idp.example', algorithms: [] }],
    [{ issuer: 'https://idp.example', clockSkewSeconds: 3600 }],
    [{ issuer: 'not a url' }],
  ])('that could not be trusted is refused at start: %j', (config) => {
    expect(() => gateway({ issuers: [config] })).toThrow(RangeError);
  });

  it('whose user is its own client is a workload', async () => {
    issuer.publish(rsa.jwk);
    const { codeOf } = gateway();
    expect(await codeOf(await signToken(rsa, claims({ sub: 'robot', client_id: 'robot' })))).toMatchObject({
      kind: 'workload',
    });
  });
});

describe('while keys come and go', () => {
  it('a rotation fails no request, and a token is forgotten when its key leaves the set', async () => {
    issuer.publish(rsa.jwk);
    const { codeOf, clock } = gateway();
    const old = await signToken(rsa, claims());
    expect(await codeOf(old)).toMatchObject({ name: 'alice' });
    issuer.publish(ec.jwk);
    clock.nowMs += 60_000;
    // Believed until the set is seen without its key.
    expect(await codeOf(old)).toMatchObject({ name: 'alice' });
    expect(await codeOf(await signToken(ec, claims()))).toMatchObject({ name: 'alice' });
    expect(await codeOf(old)).toBe('invalid-credential');
    issuer.publish(rsa.jwk);
  });

  it('an issuer that is away is a clean refusal that uses up no attempt, and keys in hand go on serving', async () => {
    issuer.publish(rsa.jwk);
    const before = gateway();
    await before.codeOf(await signToken(rsa, claims()));
    issuer.answerWith((_, response) => void response.writeHead(503).end());
    expect(await before.codeOf(await signToken(rsa, claims({ jti: 'other' })))).toMatchObject({ name: 'alice' });
    const fresh = gateway();
    expect(await fresh.codeOf(await signToken(rsa, claims()))).toBe('identity-unavailable');
    expect(fresh.attempts.left).toBe(100);
    expect(fresh.lines.some((line) => line.level === 'warn' && line.text.includes('status 503'))).toBe(true);
    issuer.answerWith();
    fresh.clock.nowMs += 5_000;
    expect(await fresh.codeOf(await signToken(rsa, claims()))).toMatchObject({ name: 'alice' });
  });
});
