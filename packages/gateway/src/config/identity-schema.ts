/** Settings of `identity`: who may call. Every description is read by operators. */

import * as z from 'zod';

import { name } from './schema-words.ts';

const KEY_HASH = /^sha256:[0-9a-f]{64}$/;

const apiKey = z
  .strictObject({
    name: name.describe('Who the key belongs to; the user in policies, logs and records.'),
    hash: z
      .string()
      .meta({ pattern: KEY_HASH.source })
      .describe('SHA-256 of the key. `sallyport key create <name>` prints it; the key itself is never stored.'),
    groups: z.array(name).default([]).describe('Groups that policies and `allow` speak of.'),
    tenant: name.default('default').describe('The tenant that the caller belongs to.'),
    expires: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('From this instant on the key is refused, for example 2027-01-31T00:00:00Z.'),
  })
  .describe('A long-lived key for a person or a program.');

const issuer = z
  .strictObject({
    issuer: z.url({ protocol: /^https?$/ }).describe('The issuer identifier, exactly as it stands in `iss`.'),
    jwksUri: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("Where its keys are. Default: from the issuer's metadata."),
    groupsClaim: name.default('groups').describe('The claim that lists the groups.'),
    tenant: name.default('default').describe('The tenant that its users belong to.'),
    audiences: z
      .array(z.string().min(1))
      .default([])
      .describe('Audiences that are accepted beside `publicUrl` and the URL of the endpoint.'),
  })
  .describe('An OAuth 2 / OpenID Connect issuer whose JWT access tokens are accepted. Fetched when first needed.');

export const identitySchema = z
  .strictObject({
    apiKeys: z.array(apiKey).default([]).describe('Long-lived keys for people and programs.'),
    issuers: z
      .array(issuer)
      .default([])
      .describe('OAuth 2 / OpenID Connect issuers whose JWT access tokens are accepted.'),
  })
  .prefault({})
  .describe('Who may call. Without it nobody can.');

/** A hash that a key can have at all. */
export const isKeyHash = (hash: string): boolean => KEY_HASH.test(hash);
