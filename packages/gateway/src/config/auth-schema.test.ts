import { describe, expect, it } from 'vitest';

import { authSchema, compileAuth } from './auth-schema.ts';

describe('the settings of token exchange', () => {
  const written = {
    type: 'token-exchange',
    issuer: 'https://id.example',
    clientId: 'gateway',
    clientSecret: 'env:SECRET',
    audience: 'orders',
  };

  it('name the issuer, the client and how the issuer calls the server', () => {
    expect(compileAuth(authSchema.parse(written), (value) => value)).toEqual({
      type: 'token-exchange',
      issuer: 'https://id.example',
      trustedOrigins: ['https://id.example'],
      clientId: 'gateway',
      clientSecret: { kind: 'env', name: 'SECRET', prefix: '' },
      audience: 'orders',
      scopes: [],
    });
  });

  it.each([
    ['the issuer, which no server may choose', { issuer: undefined }, /issuer/],
    ['who the gateway is', { clientId: undefined }, /clientId/],
    ['what proves it', { clientSecret: undefined }, /needs a clientSecret or a privateKey/],
    ['a secret by reference', { clientSecret: 'written-out' }, /stands in the file/],
  ])('are refused without %s', (_, change, said) => {
    expect(authSchema.safeParse({ ...written, ...change }).error?.message).toMatch(said);
  });
});
