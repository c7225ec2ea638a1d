import { expect, it } from 'vitest';

import { bearerChallenge } from '../authn/challenge.ts';
import { readChallenge } from './bearer-challenge.ts';

it('what the gateway says about a log-in is understood', () => {
  const resourceMetadataUrl = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp';
  const header = bearerChallenge({ resourceMetadataUrl, error: 'insufficient_scope', scope: ['a', 'b'] });

  expect(readChallenge(header)).toEqual({
    resourceMetadata: resourceMetadataUrl,
    error: 'insufficient_scope',
    scope: 'a b',
  });
});

it.each([undefined, '', 'Basic realm="x"', 'Bearer', 'Negotiate abc'])('%j says nothing about a log-in', (header) => {
  expect(readChallenge(header)).toEqual({});
});

it('a challenge behind another one is found, and its first word counts', () => {
  expect(readChallenge('Basic realm="x", Bearer scope=a, scope="b"')).toEqual({ scope: 'a' });
});
