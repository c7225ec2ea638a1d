import { describe, expect, it } from 'vitest';

import { parsePrincipalKey, principalKey } from './principal.ts';

describe('the key of a principal', () => {
  it.each([
    ['default', 'https://idp.example.com/a', 'alice'],
    ['a/b', '3:x/y', '1:2/3:4/5'],
    ['', '', ''],
  ])('says of what it was made: %s %s %s', (tenant, issuer, subject) => {
    expect(parsePrincipalKey(principalKey(tenant, issuer, subject))).toEqual({ tenant, issuer, subject });
  });

  it.each(['', 'alice', '3:ab/x', '7:default/99:https/alice', '7:default'])('"%s" is none', (text) => {
    expect(parsePrincipalKey(text)).toBeUndefined();
  });
});
