/** Grants for tests, and an envelope under a key ring that is made for them. */

import { randomBytes, randomUUID } from 'node:crypto';

import { Secret } from '../model/secret.ts';
import { createEnvelope, type Envelope } from './envelope.ts';
import type { Grant, GrantKey } from './grant.ts';
import { createRingKeyWrapper, type WrappingKeys } from './ring-key-wrapper.ts';

/** No two tests speak of the same tenant, so that they may share a database. */
export const newGrantKey = (more: Partial<GrantKey> = {}): GrantKey => ({
  tenant: randomUUID(),
  principal: '7:default/23:https://idp.example.com/alice',
  server: 'tickets',
  ...more,
});

export const newGrant = (more: Partial<Grant> = {}): Grant => ({
  issuer: 'https://as.example.com',
  tokenEndpoint: 'https://as.example.com/token',
  revocationEndpoint: 'https://as.example.com/revoke',
  clientId: 'sallyport',
  resource: 'https://tickets.example.com/mcp',
  scopes: ['tickets:read', 'tickets:write'],
  accessToken: new Secret(`geheim-access-${randomUUID()}`),
  refreshToken: new Secret(`geheim-refresh-${randomUUID()}`),
  obtainedAtMs: 1_800_000_000_000,
  expiresAtMs: 1_800_000_060_000,
  ...more,
});

/** What a test compares: secrets look alike to `toEqual`. */
export const shown = (grant: Grant | undefined): unknown =>
  grant === undefined
    ? undefined
    : { ...grant, accessToken: grant.accessToken.expose(), refreshToken: grant.refreshToken?.expose() };

export const newWrappingKey = (id: string): WrappingKeys['keys'][number] => ({
  id,
  secret: new Secret(randomBytes(32).toString('base64url')),
});

/** A ring that a test changes: what it holds counts from the next use on. */
export function testRing(first = newWrappingKey('k1')): { ring: WrappingKeys; readonly envelope: Envelope } {
  const held: { ring: WrappingKeys } = { ring: { current: first.id, keys: [first] } };
  const wrapper = createRingKeyWrapper({
    file: '/etc/sallyport/grants.keys',
    load: () => Promise.resolve(held.ring),
    clockMs: () => performance.now(),
    checkMs: 0,
  });
  return {
    get ring() {
      return held.ring;
    },
    set ring(ring) {
      held.ring = ring;
    },
    envelope: createEnvelope(wrapper),
  };
}
