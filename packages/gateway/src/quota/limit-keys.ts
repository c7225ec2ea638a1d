/** Whose bucket a call counts in. Every bucket belongs to one tenant: tenants never use up each other's. */

import { hash } from 'node:crypto';

import { DEFAULT_TENANT, type Principal } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';
import { addressKey } from './address-key.ts';
import type { Counted } from './limiter.ts';

/** What has a bucket of its own. `call`: one caller's calls of one tool with the same arguments. */
export type LimitSubject = 'principal' | 'tool' | 'server' | 'tenant' | 'client' | 'address' | 'call';

export type KeyOf = (counted: Counted) => string;

/** No server id contains a colon, so no key of the default tenant looks like another tenant's. */
const inTenant = ({ tenant }: Principal, rest: string): string =>
  tenant === DEFAULT_TENANT ? rest : `${tenant.length}:${tenant}/${rest}`;

/** A token without a client, and an API key, are their own client: what a client says of itself is no ground to count by. */
const clientKey = ({ key, tenant, issuer, clientId }: Principal): string =>
  clientId === undefined ? key : `${tenant.length}:${tenant}/${issuer.length}:${issuer}/client/${clientId}`;

/** A digest, because arguments can be large and a bucket is remembered. Members in another order are another call. */
function callKey({ principal, entry, operation }: Counted): string {
  const args = operation.kind === 'call-tool' ? operation.arguments : {};
  return hash('sha256', `${principal.key}\0${entry.server.id}/${entry.name}\0${JSON.stringify(args)}`, 'base64url');
}

/** For one entry: what depends on the entry alone is worked out once. */
export const KEYS: Readonly<Record<LimitSubject, (entry: Entry) => KeyOf>> = {
  principal:
    () =>
    ({ principal }) =>
      principal.key,
  tenant:
    () =>
    ({ principal }) =>
      principal.tenant,
  client:
    () =>
    ({ principal }) =>
      clientKey(principal),
  address:
    () =>
    ({ address }) =>
      addressKey(address),
  call: () => callKey,
  server:
    ({ server }) =>
    ({ principal }) =>
      inTenant(principal, server.id),
  tool: ({ server, name }) => {
    const address = `${server.id}/${name}`;
    return ({ principal }) => inTenant(principal, address);
  },
};
