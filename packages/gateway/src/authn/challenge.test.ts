import { describe, expect, it } from 'vitest';

import { bearerChallenge, bearerError, protectedResourceMetadata, protectedResourceMetadataUrl } from './challenge.ts';

const METADATA = 'https://gw.example/.well-known/oauth-protected-resource/servers/files/mcp';

describe('the challenge', () => {
  it('names the metadata and no error when nothing was presented', () => {
    expect(bearerChallenge({ resourceMetadataUrl: METADATA })).toBe(`Bearer resource_metadata="${METADATA}"`);
  });

  it('carries error, description and all scopes', () => {
    expect(
      bearerChallenge({
        resourceMetadataUrl: METADATA,
        error: 'insufficient_scope',
        errorDescription: 'More is needed.',
        scope: ['files:read', 'files:write'],
      }),
    ).toBe(
      `Bearer error="insufficient_scope", error_description="More is needed.", scope="files:read files:write", resource_metadata="${METADATA}"`,
    );
  });

  it('cannot be broken out of by quotes, backslashes or line ends', () => {
    const challenge = bearerChallenge({ resourceMetadataUrl: METADATA, errorDescription: 'a"\\\r\nSet-Cookie: x=é' });
    expect(challenge).toBe(`Bearer error_description="aSet-Cookie: x=", resource_metadata="${METADATA}"`);
  });

  it.each([
    ['unauthenticated', undefined],
    ['invalid-credential', 'invalid_token'],
    ['expired-credential', 'invalid_token'],
    ['wrong-audience', 'invalid_token'],
    ['identity-unavailable', undefined],
  ] as const)('maps %s to %s', (code, error) => {
    expect(bearerError(code)).toBe(error);
  });
});

describe('protected resource metadata', () => {
  it('lists issuers and scopes', () => {
    expect(
      protectedResourceMetadata({
        resource: 'https://gw.example/mcp',
        authorizationServers: ['https://a'],
        scopes: ['s'],
      }),
    ).toEqual({
      resource: 'https://gw.example/mcp',
      authorization_servers: ['https://a'],
      scopes_supported: ['s'],
      bearer_methods_supported: ['header'],
    });
  });

  it('leaves out what would be empty', () => {
    expect(
      protectedResourceMetadata({ resource: 'https://gw.example/mcp', authorizationServers: [], scopes: [] }),
    ).toEqual({ resource: 'https://gw.example/mcp', bearer_methods_supported: ['header'] });
  });

  it.each([
    ['https://gw.example', 'https://gw.example/.well-known/oauth-protected-resource'],
    ['https://gw.example/', 'https://gw.example/.well-known/oauth-protected-resource'],
    ['https://gw.example/servers/files/mcp', METADATA],
  ])('of %s is at %s', (resource, url) => {
    expect(protectedResourceMetadataUrl(resource)).toBe(url);
  });
});
