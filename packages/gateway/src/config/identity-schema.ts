/** Settings of `identity`: who may call. Every description is read by operators. */

import { isIP } from 'node:net';

import * as z from 'zod';

import { duration, filePath, name, rate, scope, value } from './schema-words.ts';

const KEY_HASH = /^sha256:[0-9a-f]{64}$/;

const apiKey = z
  .strictObject({
    name: name.describe('Who the key belongs to; the user in policies, logs and records.'),
    hash: z
      .string()
      .meta({ pattern: KEY_HASH.source })
      .describe(
        'SHA-256 of the key. `sallyport key create <name> --print-config` prints it; the key itself is never stored.',
      ),
    groups: z.array(name).default([]).describe('Groups that policies and `allow` speak of.'),
    tenant: name.default('default').describe('The tenant that the caller belongs to.'),
    expires: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('From this instant on the key is refused, for example 2027-01-31T00:00:00Z.'),
  })
  .describe('A long-lived key for a person or a program.');

/** Asymmetric signatures only. The verifier has the same list, and what each of them needs. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** Whoever can change keys on their way can be anyone. */
const protectedUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => /^(?:https:|http:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?:[:/]|$))/.test(url), {
    message: 'must be https; http only on this machine.',
  });

const login = z
  .strictObject({
    clientId: name.describe(
      'The client that the gateway is registered as; its redirect URI is <publicUrl>/login/callback.',
    ),
    clientSecret: value
      .refine(({ kind }) => kind !== 'literal', { message: 'stands in the file. Write env:NAME or file:/path/to/it.' })
      .optional()
      .describe('Its secret, as env:NAME or file:/path. Without one the gateway is a public client.'),
    scopes: z
      .array(name)
      .default(['openid', 'profile'])
      .describe('Scopes to ask for; `openid` always. Add the one that brings the groups, where the issuer has one.'),
    session: duration
      .prefault('15m')
      .describe('How long a log-in in the browser is good for, from 1 minute to 12 hours.')
      .refine((ms) => ms >= 60_000 && ms <= 43_200_000, { message: 'is not between 1m and 12h.' }),
  })
  .describe('Lets its users log in with a browser, to see and decide approvals. Needs a publicUrl over https.');

const issuer = z
  .strictObject({
    issuer: protectedUrl.describe('The issuer identifier, exactly as it stands in `iss`.'),
    jwksUri: protectedUrl.optional().describe("Where its keys are. Default: from the issuer's metadata."),
    groupsClaim: name.default('groups').describe('The claim that lists the groups.'),
    tenant: name.optional().describe('The tenant that its users belong to. Default: `default`.'),
    tenantClaim: name
      .optional()
      .describe('The claim that names the tenant, when one issuer serves several. Tokens without it are refused.'),
    audiences: z
      .array(z.string().min(1))
      .default([])
      .describe('Audiences that are accepted beside those of `identity.audience`, for issuers that cannot name a URL.'),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .optional()
      .describe('Signature algorithms that are accepted. Default: all of them.'),
    clockSkew: duration
      .prefault('30s')
      .refine((ms) => ms <= 300_000, { message: 'is longer than five minutes.' })
      .describe("How far this issuer's clock may be from ours, at most 5m."),
    login: login.optional(),
    requireAccessTokenType: z
      .boolean()
      .default(false)
      .describe('Take only tokens whose header says `typ: at+jwt` (RFC 9068). Then no id token can pass for one.'),
  })
  .refine(({ tenant, tenantClaim }) => tenant === undefined || tenantClaim === undefined, {
    message: 'has a tenant and a tenantClaim. Keep one of them.',
    path: ['tenantClaim'],
  })
  .describe(
    'An OAuth 2 / OpenID Connect issuer whose JWT access tokens are accepted. Its keys are fetched when first needed, at the latest 15 s after the start.',
  );

const scopes = z
  .strictObject({
    required: z
      .array(scope)
      .default([])
      .refine((required) => !required.includes('offline_access'), {
        message: 'names offline_access, which is between a client and its issuer (MCP 2026-07-28, authorization).',
      })
      .describe('Scopes that every token needs. Told to clients without a token, and in the metadata.'),
    implies: z
      .record(scope, z.array(scope).min(1))
      .default({})
      .describe('Scopes that include others: `{ admin: [read, write] }`.'),
  })
  .prefault({})
  .describe('OAuth scopes. They bind tokens only; API keys and workloads carry none, and policy governs those.');

/** SPIFFE ID, section 2.1. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

const trustDomain = z
  .strictObject({
    name: z.string().regex(TRUST_DOMAIN).describe('For example example.org: what follows `spiffe://`.'),
    bundle: filePath.describe('Its certificate authorities, as PEM. Read again when it changes.'),
    tenant: name.default('default').describe('The tenant that its workloads belong to.'),
  })
  .describe('A SPIFFE trust domain whose workloads may call.');

function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

const workloads = z
  .strictObject({
    trustDomains: z
      .array(trustDomain)
      .default([])
      .refine((domains) => new Set(domains.map((domain) => domain.name)).size === domains.length, {
        message: 'names a trust domain twice.',
      })
      .describe('Whose certificates are accepted. A certificate must come from the bundle of its own trust domain.'),
    mesh: z
      .strictObject({
        proxies: z
          .array(z.string().refine(isAddressRange, { message: 'is not an address or a range such as 10.0.0.0/8.' }))
          .min(1)
          .describe('Addresses whose X-Forwarded-Client-Cert is believed. From anyone else it is ignored.'),
      })
      .optional()
      .describe('Proxies that end TLS in front of the gateway, and vouch for the certificate of the caller.'),
  })
  .refine(({ trustDomains, mesh }) => mesh === undefined || trustDomains.length > 0, {
    message: 'needs trustDomains: without them no workload could be accepted.',
    path: ['mesh'],
  })
  .prefault({})
  .describe('Programs that prove who they are with an X.509-SVID (SPIFFE), beside a token or without one.');

export const identitySchema = z
  .strictObject({
    apiKeys: z
      .array(apiKey)
      .default([])
      .describe(
        'Long-lived keys for people and programs, beside those that `sallyport key create` keeps in `storage`.',
      ),
    issuers: z
      .array(issuer)
      .default([])
      .describe('OAuth 2 / OpenID Connect issuers whose JWT access tokens are accepted.'),
    audience: z
      .enum(['endpoint', 'gateway'])
      .default('endpoint')
      .describe(
        'What a token must be issued for. `endpoint`: the URL of the endpoint that is called. `gateway`: `publicUrl` is good for every endpoint, too.',
      ),
    scopes,
    workloads,
    failedAttempts: rate
      .prefault('60/minute')
      .describe('How many credentials may fail from one address. More where many callers come through one proxy.'),
  })
  .prefault({})
  .describe('Who may call. Without it nobody can.');

/** A hash that a key can have at all. */
export const isKeyHash = (hash: string): boolean => KEY_HASH.test(hash);
