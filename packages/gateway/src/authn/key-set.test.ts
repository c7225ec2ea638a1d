import type { ServerResponse } from 'node:http';

import type { JWK } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { metadataUrls } from './discovery.ts';
import { fetchJson, signingKey, startIssuer, type SigningKey, type TestIssuer } from './issuer.fixture.ts';
import { parseJwks } from './jwks.ts';
import { createKeySet, type KeySetOptions } from './key-set.ts';

const HEADER = { alg: 'RS256', kid: 'one' };
const WELL_KNOWN = '/.well-known/oauth-authorization-server';

let issuer: TestIssuer;
let first: SigningKey;
let second: SigningKey;

beforeAll(async () => {
  [first, second] = await Promise.all([signingKey('RS256', 'one'), signingKey('RS256', 'two')]);
});
beforeEach(async () => {
  issuer = await startIssuer();
  issuer.publish(first.jwk);
  return () => issuer.close();
});

function keySet(more: Partial<KeySetOptions> = {}) {
  const clock = { nowMs: 1_800_000_000_000 };
  const failures: string[] = [];
  const keys = createKeySet({
    issuer: issuer.url,
    fetchJson,
    now: () => clock.nowMs,
    fetchTimeoutMs: 10_000,
    onFailure: (reason) => failures.push(reason),
    ...more,
  });
  const kids = async (header = HEADER) => (await keys.keysFor(header))?.map((key) => key.kid);
  return { clock, failures, keys, kids };
}

const away = (_: unknown, response: ServerResponse) => void response.writeHead(500).end();

describe('the keys of an issuer', () => {
  it('are fetched when first needed, once for all who wait, and then kept', async () => {
    const { kids } = keySet();
    expect(issuer.requests).toEqual([]);
    expect(await Promise.all([kids(), kids(), kids()])).toEqual([['one'], ['one'], ['one']]);
    expect(await kids()).toEqual(['one']);
    expect(issuer.requests).toEqual([WELL_KNOWN, '/keys']);
  });

  it('are kept fresh ahead of need: fetched when missing, old or failed, and left alone otherwise', async () => {
    const { clock, failures, keys } = keySet();
    expect(keys.lastFetch()).toBeUndefined();
    await keys.keepFresh();
    await keys.keepFresh();
    expect(issuer.requests).toEqual([WELL_KNOWN, '/keys']);
    expect(keys.lastFetch()).toEqual({ ok: true });
    clock.nowMs += 11 * 60_000;
    issuer.answerWith(away);
    await keys.keepFresh();
    expect(keys.lastFetch()).toEqual({ ok: false, reason: expect.stringContaining('500') });
    const asked = issuer.requests.length;
    await keys.keepFresh();
    expect(issuer.requests, 'an issuer that is away is not asked at once again').toHaveLength(asked);
    for (let look = 0; look < 5; look += 1) {
      clock.nowMs += 30_000;
      await keys.keepFresh();
    }
    expect(failures, 'of the keys, then of the metadata, and no more').toHaveLength(2);
    issuer.answerWith();
    clock.nowMs += 30_000;
    await keys.keepFresh();
    expect(keys.lastFetch()).toEqual({ ok: true });
  });

  it('are found through OpenID Connect discovery too, or at the configured address', async () => {
    const openid = await startIssuer('openid');
    openid.publish(first.jwk);
    expect(await keySet({ issuer: openid.url }).kids()).toEqual(['one']);
    expect(openid.requests).toEqual([WELL_KNOWN, '/.well-known/openid-configuration', '/keys']);
    await openid.close();
    expect(await keySet({ jwksUri: `${issuer.url}/keys` }).kids()).toEqual(['one']);
    expect(issuer.requests).toEqual(['/keys']);
  });

  it('are fetched again for a key that is not there, so that rotation fails no request', async () => {
    const { clock, kids, keys } = keySet();
    await kids();
    const [old] = (await keys.keysFor(HEADER)) ?? [];
    issuer.publish(second.jwk);
    clock.nowMs += 5_000;
    expect(await Promise.all([kids({ alg: 'RS256', kid: 'two' }), kids({ alg: 'RS256', kid: 'two' })])).toEqual([
      ['two'],
      ['two'],
    ]);
    expect(issuer.requests.filter((path) => path === '/keys')).toHaveLength(2);
    expect(await kids()).toEqual([]);
    expect(keys.holds(old?.fingerprint ?? '')).toBe(false);
  });

  it('are found when the issuer rotates in the instant after it was asked', async () => {
    const { kids } = keySet();
    expect(await kids()).toEqual(['one']);
    issuer.publish(first.jwk, second.jwk);
    expect(await kids({ alg: 'RS256', kid: 'two' })).toEqual(['two']);
    expect(await kids()).toEqual(['one']);
  });

  it('are not fetched again and again for keys that nobody has', async () => {
    const { clock, kids } = keySet();
    await kids();
    for (let attempt = 0; attempt < 20; attempt++) expect(await kids({ alg: 'RS256', kid: `x${attempt}` })).toEqual([]);
    expect(issuer.requests.filter((path) => path === '/keys')).toHaveLength(4);
    clock.nowMs += 4_999;
    await kids({ alg: 'RS256', kid: 'x' });
    expect(issuer.requests.filter((path) => path === '/keys')).toHaveLength(4);
    clock.nowMs += 1;
    await kids({ alg: 'RS256', kid: 'x' });
    expect(issuer.requests.filter((path) => path === '/keys')).toHaveLength(5);
  });

  it('are renewed in the background when they have some age', async () => {
    const renewed = Promise.withResolvers<unknown>();
    let fetched = 0;
    const { clock, kids } = keySet({
      fetchJson: async (url, signal) => {
        const document = await fetchJson(url, signal);
        if (++fetched === 3) renewed.resolve(undefined);
        return document;
      },
    });
    await kids();
    clock.nowMs += 10 * 60_000;
    expect(await kids()).toEqual(['one']);
    await renewed.promise;
  });

  it('serve while the issuer is away, until they are too old', async () => {
    const { clock, kids, keys, failures } = keySet();
    await kids();
    const [key] = (await keys.keysFor(HEADER)) ?? [];
    issuer.answerWith(away);
    clock.nowMs += 59 * 60_000;
    expect(await kids()).toEqual(['one']);
    // It cannot be known whether this key exists.
    expect(await kids({ alg: 'RS256', kid: 'two' })).toBeUndefined();
    clock.nowMs += 60_000;
    expect(keys.holds(key?.fingerprint ?? '')).toBe(false);
    expect(await kids()).toBeUndefined();
    expect(failures.join()).toContain('status 500');
    issuer.answerWith();
    clock.nowMs += 5_000;
    expect(await kids()).toEqual(['one']);
  });

  it('are given up in time when the issuer hangs, and others do not wait again at once', async () => {
    issuer.answerWith(() => undefined);
    let asked = 0;
    const { kids, failures } = keySet({
      fetchTimeoutMs: 50,
      fetchJson(url, signal) {
        asked += 1;
        return fetchJson(url, signal);
      },
    });
    expect(await kids()).toBeUndefined();
    expect(failures).toEqual(['no answer within 50 ms']);
    expect(await kids()).toBeUndefined();
    expect(asked).toBe(1);
  });

  it('are given up in time even when fetching ignores its signal', async () => {
    const { kids } = keySet({ fetchTimeoutMs: 50, fetchJson: () => new Promise(() => undefined) });
    expect(await kids()).toBeUndefined();
  });

  it.each<[string, unknown, RegExp]>([
    ['of another issuer', { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/keys' }, /evil\.example/u],
    ['with keys on an unprotected way', { jwks_uri: 'http://idp.example/keys' }, /not an https URL/u],
    ['without keys', {}, /not an https URL/u],
    ['that is a list', [], /not a JSON object/u],
  ])('are not taken from metadata %s', async (_, metadata, reason) => {
    issuer.answerWith((request, response) => {
      if (request.url !== WELL_KNOWN) return void response.writeHead(404).end();
      const body = Array.isArray(metadata) ? metadata : { issuer: issuer.url, ...(metadata as object) };
      response.writeHead(200).end(JSON.stringify(body));
    });
    const { kids, failures } = keySet();
    expect(await kids()).toBeUndefined();
    expect(failures[0]).toMatch(reason);
  });

  it('are looked for anew when they are not where they were', async () => {
    const { clock, kids } = keySet();
    await kids();
    issuer.answerWith(away);
    clock.nowMs += 5_000;
    await kids({ alg: 'RS256', kid: 'two' });
    issuer.answerWith();
    clock.nowMs += 5_000;
    await kids({ alg: 'RS256', kid: 'two' });
    expect(issuer.requests).toEqual([WELL_KNOWN, '/keys', '/keys', WELL_KNOWN, '/keys']);
  });
});

describe('a key set document', () => {
  it.each<[string, unknown]>([
    ['no object', null],
    ['no list', { keys: {} }],
    ['too many keys', { keys: Array.from({ length: 65 }, () => ({ kty: 'RSA' })) }],
  ])('is refused when it has %s', (_, document) => {
    expect(parseJwks(document, 0)).toMatchObject({ ok: false });
  });

  it('gives only public keys that may verify, without their private parts', () => {
    const key: JWK = { ...first.jwk, d: 'private' };
    const parsed = parseJwks(
      {
        keys: [
          key,
          { kty: 'oct', k: 'c2VjcmV0', kid: 'hmac' },
          { ...first.jwk, use: 'enc' },
          { ...first.jwk, key_ops: ['encrypt'] },
          'nonsense',
        ],
      },
      0,
    );
    if (!parsed.ok) throw new Error(parsed.error);
    expect(parsed.value.keys).toHaveLength(1);
    expect(parsed.value.keys[0]?.jwk).not.toHaveProperty('d');
  });
});

describe('metadata addresses', () => {
  it.each([
    [
      'https://idp.example',
      [
        'https://idp.example/.well-known/oauth-authorization-server',
        'https://idp.example/.well-known/openid-configuration',
      ],
    ],
    [
      'https://idp.example/realms/one',
      [
        'https://idp.example/.well-known/oauth-authorization-server/realms/one',
        'https://idp.example/realms/one/.well-known/openid-configuration',
        'https://idp.example/.well-known/openid-configuration/realms/one',
      ],
    ],
  ])('of %s', (url, expected) => {
    expect(metadataUrls(url)).toEqual(expected);
  });
});
