/** The part of the configuration that says who may call, as the program uses it. */

import type { IdentityConfig, IssuerConfig, LoginConfig } from './config.ts';
import type { ValueConfig } from './secrets-config.ts';
import { isKeyHash } from './identity-schema.ts';
import type { ParsedFile } from './schema.ts';

type Parsed = ParsedFile['identity'];

/** @param located A reference with its path made absolute. */
export function compileIdentity(
  identity: Parsed,
  absolute: (file: string) => string,
  located: (value: ValueConfig) => ValueConfig,
): IdentityConfig {
  const { audience, scopes, workloads, failedAttempts } = identity;
  return {
    apiKeys: identity.apiKeys
      .filter((key) => isKeyHash(key.hash))
      .map(({ expires, hash, ...key }) => ({
        ...key,
        hash: hash.slice('sha256:'.length),
        ...(expires === undefined ? {} : { expiresAtMs: Date.parse(expires) }),
      })),
    issuers: identity.issuers.map((issuer) => compileIssuer(issuer, located)),
    audience,
    scopes,
    failedAttempts: { ...failedAttempts, text: `${failedAttempts.text} failed attempts per address` },
    workloads: {
      trustDomains: workloads.trustDomains.map(({ bundle, ...domain }) => ({
        ...domain,
        bundleFile: absolute(bundle),
      })),
      meshProxies: workloads.mesh?.proxies ?? [],
    },
  };
}

function compileIssuer(
  { jwksUri, tenant, tenantClaim, algorithms, clockSkew, login, ...issuer }: Parsed['issuers'][number],
  located: (value: ValueConfig) => ValueConfig,
): IssuerConfig {
  return {
    ...issuer,
    clockSkewSeconds: clockSkew / 1000,
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(tenantClaim === undefined ? { tenant: tenant ?? 'default' } : { tenantClaim }),
    ...(algorithms === undefined ? {} : { algorithms }),
    ...(login === undefined ? {} : { login: compileLogin(login, located) }),
  };
}

function compileLogin(
  { session, clientSecret, ...login }: NonNullable<Parsed['issuers'][number]['login']>,
  located: (value: ValueConfig) => ValueConfig,
): LoginConfig {
  return {
    ...login,
    sessionMs: session,
    ...(clientSecret === undefined ? {} : { clientSecret: located(clientSecret) }),
  };
}
