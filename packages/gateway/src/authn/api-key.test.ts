import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { apiKeyDigest, createApiKey, isApiKey } from './api-key.ts';
import { createApiKeyVerifier, type ApiKeyRecord } from './api-key-verifier.ts';
import { Refused } from './refused.ts';

const KEY = createApiKey(randomBytes);
const TEXT = KEY.key.expose();

const record = (more: Partial<ApiKeyRecord> = {}): ApiKeyRecord => ({
  name: 'alice',
  hash: KEY.hash,
  groups: ['engineering'],
  tenant: 'default',
  ...more,
});

describe('an API key', () => {
  it('has the prefix that secret scanners know, 32 random bytes and a checksum', () => {
    const key = createApiKey(() => new Uint8Array(32));
    expect(key.key.expose()).toBe('sp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAg8qNnw');
    expect(TEXT).toMatch(/^sp_[A-Za-z0-9_-]{49}$/u);
    expect(isApiKey(TEXT)).toBe(true);
  });

  it('is stored as its hash and printed as nothing', () => {
    expect(KEY.hash).toBe(`sha256:${apiKeyDigest(TEXT)}`);
    expect(JSON.stringify(KEY)).not.toContain(TEXT);
  });

  it.each([0, 10, 44, 48, 51])('with a character changed at %i is not one', (at) => {
    const changed = TEXT.slice(0, at) + (TEXT[at] === 'A' ? 'B' : 'A') + TEXT.slice(at + 1);
    expect(isApiKey(changed)).toBe(false);
  });

  it('is not made of too little randomness', () => {
    expect(() => createApiKey(() => new Uint8Array(16))).toThrow(RangeError);
  });
});

describe('the API key verifier', () => {
  it('knows a key by its hash and answers with the same principal each time', () => {
    const verify = createApiKeyVerifier([record()]);
    const principal = verify(TEXT, 0);
    expect(principal).toMatchObject({
      key: '7:default/7:api-key/alice',
      issuer: 'api-key',
      subject: 'alice',
      groups: ['engineering'],
      credential: { kind: 'api-key' },
    });
    expect(verify(TEXT, 1)).toBe(principal);
    expect(Object.isFrozen(principal) && 'groups' in principal && Object.isFrozen(principal.groups)).toBe(true);
  });

  it('takes the tenant from the key', () => {
    expect(createApiKeyVerifier([record({ tenant: 'acme' })])(TEXT, 0)).toMatchObject({
      tenant: 'acme',
      key: '4:acme/7:api-key/alice',
    });
  });

  it.each([
    ['another key', createApiKey(randomBytes).key.expose(), 'invalid-credential'],
    ['a key cut short', TEXT.slice(0, -1), 'invalid-credential'],
    ['the hash itself', KEY.hash, 'invalid-credential'],
  ])('refuses %s', (_, text, code) => {
    const outcome = createApiKeyVerifier([record()])(text, 0);
    expect(outcome).toBeInstanceOf(Refused);
    expect(outcome).toMatchObject({ code });
    expect(JSON.stringify(outcome)).not.toContain(text);
  });

  it('refuses a key from the moment it expires', () => {
    const verify = createApiKeyVerifier([record({ expiresAtMs: 1000 })]);
    expect(verify(TEXT, 999)).toMatchObject({ name: 'alice', credential: { expiresAtMs: 1000 } });
    expect(verify(TEXT, 1000)).toMatchObject({ code: 'expired-credential' });
  });

  it.each<[string, readonly ApiKeyRecord[]]>([
    ['a hash that is none', [record({ hash: 'changeme' })]],
    ['a key in the place of its hash', [record({ hash: TEXT })]],
    ['one hash for two', [record(), record({ name: 'bob' })]],
    ['one name for two', [record(), record({ hash: createApiKey(randomBytes).hash })]],
  ])('does not start with %s', (_, records) => {
    expect(() => createApiKeyVerifier(records)).toThrow(RangeError);
  });

  it('does not repeat what stood in the place of a hash', () => {
    expect(() => createApiKeyVerifier([record({ hash: TEXT })])).toThrow(/^(?!.*sp_)/u);
  });
});
