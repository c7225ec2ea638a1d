import { describe, expect, it } from 'vitest';

import { tokenExpiryMs } from './token-expiry.ts';

const jwt = (payload: string): string =>
  `eyJhbGciOiJFUzI1NiJ9.${Buffer.from(payload).toString('base64url')}.c2lnbmF0dXJl`;

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
