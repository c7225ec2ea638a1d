/** Somebody, for tests: with an API key, in no group, unless the test says otherwise. */

import { DEFAULT_TENANT, principalKey, type Principal } from './principal.ts';

export function somebody(name: string, given: Partial<Principal> = {}): Principal {
  const { tenant = DEFAULT_TENANT, issuer = 'api-key' } = given;
  return {
    key: principalKey(tenant, issuer, name),
    tenant,
    kind: 'user',
    issuer,
    subject: name,
    name,
    groups: [],
    scopes: [],
    credential: { kind: 'api-key' },
    claims: {},
    ...given,
  };
}
