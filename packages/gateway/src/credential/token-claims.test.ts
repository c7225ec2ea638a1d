import { describe, expect, it } from 'vitest';

import { tokenExpiryMs, tokenScopes } from './token-claims.ts';

const jwt = (payload: string): string =>
  `eyJhbGciOiJFUzI1NiJ9.${Buffer.from(payload).toString('base64url')}.c2lnbmF0dXJl`;

const HUNDRED = Array.from({ length: 100 }, (_, index) => `s${index}`);

describe('the end of a token that was handed to us', () => {
  it.each([
    ['a token', jwt('{"exp":1800000000}'), 1_800_000_000_000],
    ['a token after its scheme', `Bearer ${jwt('{"exp":1800000000.5}')}`, 1_800_000_000_500],
    ['a token that does not say', jwt('{"sub":"x"}'), undefined],
    ['a token that says nonsense', jwt('{"exp":"soon"}'), undefined],
    ['a payload that is no object', jwt('[1]'), undefined],
    ['a payload that is no JSON', jwt('{'), undefined],
    ['a key that only looks like one', 'sk-live.4f9c.2e7a', undefined],
    ['an ordinary key', 'sk-live-4f9c2e7a', undefined],
    ['nothing', '', undefined],
    ['far too much', `a.${'b'.repeat(20_000)}.c`, undefined],
  ])('of %s is read as it stands there', (_, value, expected) => {
    expect(tokenExpiryMs(value)).toBe(expected);
  });
});

describe('the scopes of a token that was handed to us', () => {
  it.each([
    ['RFC 9068', jwt('{"scope":"crm:read crm:write"}'), ['crm:read', 'crm:write']],
    ['a list', `Bearer ${jwt('{"scp":["a","b","a"]}')}`, ['a', 'b']],
    ['roles beside them', jwt('{"scope":"a","roles":["reader",7,""]}'), ['a', 'reader']],
    ['none', jwt('{"scope":""}'), []],
    ['nothing that is said', jwt('{"sub":"x"}'), undefined],
    ['an ordinary key', 'sk-live-4f9c2e7a', undefined],
    ['far too many', jwt(JSON.stringify({ scp: Array.from({ length: 500 }, (_, index) => `s${index}`) })), HUNDRED],
    ['one that is far too long', jwt(JSON.stringify({ scope: `a ${'b'.repeat(300)}` })), ['a']],
  ])('of %s are read as they stand there', (_, value, expected) => {
    expect(tokenScopes(value)).toEqual(expected);
  });
});
