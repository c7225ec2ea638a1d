import { describe, expect, it } from 'vitest';

import { Refusal } from '../../model/failure.ts';
import { somebody } from '../../model/principal.fixture.ts';
import { Secret } from '../../model/secret.ts';
import type { CredentialMode } from '../mode-broker.ts';
import { createExchangeMode } from './exchange-mode.ts';

const never = new AbortController().signal;
const START_MS = 1_800_000_000_000;
const ISSUER = 'https://id.example';

/** An issuer that numbers what it gives out, for a minute each. */
function setup(): { mode: CredentialMode; subjects: string[]; clock: { nowMs: number } } {
  const subjects: string[] = [];
  const clock = { nowMs: START_MS };
  const ignore = (): void => undefined;
  const mode = createExchangeMode({
    site: {
      server: 'orders',
      web: {
        policyOf: () => 'configured',
        fetch: (_url, init) => {
          const form = new URLSearchParams(init?.body?.toString() ?? '');
          subjects.push(form.get('subject_token') ?? '');
          const answer = { access_token: `given-${subjects.length}`, token_type: 'Bearer', expires_in: 60 };
          return Promise.resolve(Response.json(answer));
        },
      },
      find: () =>
        Promise.resolve({
          resource: 'https://orders.example/mcp',
          scopes: [],
          authorizationServer: {
            issuer: ISSUER,
            tokenEndpoint: `${ISSUER}/token`,
            authorizationEndpoint: undefined,
            registrationEndpoint: undefined,
            revocationEndpoint: undefined,
            scopes: [],
            authenticationMethods: [],
            grantTypes: [],
            pkceMethods: [],
            takesMetadataDocuments: false,
            metadata: { issuer: ISSUER, token_endpoint: `${ISSUER}/token` },
          },
        }),
      client: () => Promise.resolve({ id: 'gateway', proof: { kind: 'secret', secret: 'of-the-gateway' } }),
    },
    now: () => clock.nowMs,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  return { mode, subjects, clock };
}

const narrow = somebody('alice', { issuer: ISSUER, scopes: ['read'] });
const wide = somebody('alice', { issuer: ISSUER, scopes: ['read', 'write'] });

describe('a token in exchange', () => {
  it('is asked for once for a person, whatever token they come with next', async () => {
    const { mode, subjects } = setup();
    const first = await mode.obtain(narrow, never, new Secret('one'));
    expect(await mode.obtain(narrow, never, new Secret('two'))).toBe(first);
    expect(subjects).toEqual(['one']);
    expect(first.kind).toBe('token-exchange');
  });

  it('that was given for a wide token is not for a narrow one', async () => {
    const { mode, subjects } = setup();
    const forWide = await mode.obtain(wide, never, new Secret('wide'));
    const forNarrow = await mode.obtain(narrow, never, new Secret('narrow'));
    expect(subjects).toEqual(['wide', 'narrow']);
    expect(forNarrow.version).not.toBe(forWide.version);
    expect(forNarrow.headers['Authorization']?.expose()).toBe('Bearer given-2');
  });

  it('serves whoever has nothing to ask with while it is good, and only them whom it was given for', async () => {
    const { mode, clock } = setup();
    const first = await mode.obtain(narrow, never, new Secret('one'));
    expect(await mode.obtain(narrow, never)).toBe(first);
    await expect(async () => mode.obtain(wide, never)).rejects.toThrow(Refusal);
    clock.nowMs += 60_000;
    await expect(async () => mode.obtain(narrow, never)).rejects.toThrow(/for your token/);
  });

  it('that a server refuses is asked for again, unless it is new', async () => {
    const { mode, clock, subjects } = setup();
    const first = await mode.obtain(narrow, never, new Secret('one'));
    expect(mode.rejected?.(first)).toBe(false);
    clock.nowMs += 10_000;
    expect(mode.rejected?.(first)).toBe(true);
    expect(await mode.obtain(narrow, never, new Secret('two'))).not.toBe(first);
    expect(subjects).toEqual(['one', 'two']);
  });
});
