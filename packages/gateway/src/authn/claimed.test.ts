import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type { PresentedCredentials } from '../model/request.ts';
import { Secret } from '../model/secret.ts';
import { createApiKey } from './api-key.ts';
import { claimedBy, presentedKind } from './claimed.ts';

const bearer = (text: string): PresentedCredentials => ({ bearer: new Secret(text) });
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = (header: object, claims: object): string => `${b64(header)}.${b64(claims)}.c2ln`;

const KEY = createApiKey(randomBytes).key.expose();

describe('what a refused credential was', () => {
  it.each([
    ['nothing', {}, undefined],
    ['an API key', bearer(KEY), 'api-key'],
    ['what begins like a key', bearer('sp_password'), 'api-key'],
    ['a token', bearer(token({ alg: 'ES256' }, {})), 'jwt'],
    ['a token without a signature', bearer(`${b64({ alg: 'none' })}.${b64({})}.`), 'jwt'],
    ['something else', bearer('hunter2'), 'bearer'],
    ['no bearer token at all', bearer(''), 'bearer'],
    ['something endless', bearer(`a.b.${'c'.repeat(10_000)}`), 'bearer'],
    ['a certificate', { certificates: [] }, 'mtls'],
    ["a proxy's word", { certificates: [], forwardedCertificate: 'x' }, 'mesh'],
    ['a token over a certificate', { ...bearer(token({}, {})), certificates: [] }, 'jwt'],
  ] as const)('is told of %s', (_, presented, kind) => {
    expect(presentedKind(presented)).toBe(kind);
  });

  it('of a key is its beginning, as its owner sees it in the list', () => {
    expect(claimedBy(bearer(KEY))).toEqual({ hint: KEY.slice(0, 9) });
  });

  it('of what only looks like a key is nothing: it may be a password', () => {
    expect(claimedBy(bearer('sp_my-password'))).toEqual({});
    expect(claimedBy(bearer(`${KEY.slice(0, -1)}!`))).toEqual({});
  });

  it('of a token is its issuer and key, where they are what they should be', () => {
    expect(claimedBy(bearer(token({ alg: 'ES256', kid: 'one' }, { iss: 'https://idp.example/realm' })))).toEqual({
      issuer: 'https://idp.example/realm',
      keyId: 'one',
    });
  });

  it.each([
    ['a password in the issuer', { kid: 'a b' }, { iss: 'https://user:hunter2@idp.example' }],
    ['a query in the issuer', { kid: 7 }, { iss: 'https://idp.example/?token=hunter2' }],
    ['no URL', { kid: 'x'.repeat(200) }, { iss: 'hunter2' }],
    ['another scheme', { kid: 'ü' }, { iss: 'javascript:hunter2' }],
    ['an endless one', { kid: 'a\nb' }, { iss: `https://idp.example/${'x'.repeat(300)}` }],
  ])('of a token with %s is nothing', (_, header, claims) => {
    expect(claimedBy(bearer(token({ alg: 'ES256', ...header }, claims)))).toEqual({});
  });

  it('of what cannot be decoded is nothing', () => {
    for (const text of ['a.b.c', `${b64('x')}.${b64([])}.x`]) expect(claimedBy(bearer(text))).toEqual({});
  });
});
