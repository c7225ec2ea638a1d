/** The part of the configuration that says who may call, as the program uses it. */

import type { IdentityConfig, IssuerConfig } from './config.ts';
import { isKeyHash } from './identity-schema.ts';
import type { ParsedFile } from './schema.ts';

type Parsed = ParsedFile['identity'];

export function compileIdentity(identity: Parsed, absolute: (file: string) => string): IdentityConfig {
  const { audience, scopes, workloads } = identity;
  return {
    apiKeys: identity.apiKeys
      .filter((key) => isKeyHash(key.hash))
      .map(({ expires, hash, ...key }) => ({
        ...key,
        hash: hash.slice('sha256:'.length),
        ...(expires === undefined ? {} : { expiresAtMs: Date.parse(expires) }),
      })),
    issuers: identity.issuers.map(compileIssuer),
    audience,
    scopes,
    workloads: {
      trustDomains: workloads.trustDomains.map(({ bundle, ...domain }) => ({
        ...domain,
        bundleFile: absolute(bundle),
      })),
      meshProxies: workloads.mesh?.proxies ?? [],
    },
  };
}

function compileIssuer({
  jwksUri,
  tenant,
  tenantClaim,
  algorithms,
  ...issuer
}: Parsed['issuers'][number]): IssuerConfig {
  const { clockSkew, ...rest } = issuer;
  return {
    ...rest,
    clockSkewSeconds: clockSkew / 1000,
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(tenantClaim === undefined ? { tenant: tenant ?? 'default' } : { tenantClaim }),
    ...(algorithms === undefined ? {} : { algorithms }),
  };
}
