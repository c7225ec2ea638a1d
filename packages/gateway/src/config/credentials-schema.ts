/** Settings of `credentials`: how tokens of people are kept and renewed. Every description is read by operators. */

import * as z from 'zod';

import { duration, filePath } from './schema-words.ts';

const DEFAULT_RING = './data/grants.keys.json';

const segments = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/;

const transit = z
  .strictObject({
    mount: z.string().max(50).regex(segments).default('transit').describe('Where the engine is mounted.'),
    key: z
      .string()
      .max(60)
      .regex(/^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/)
      .describe('The name of the key. It has to be there already; the gateway makes none.'),
  })
  .describe('A key that never leaves the Vault of secrets.vault (transit engine), instead of a key ring.');

export const credentialsSchema = z
  .strictObject({
    keyRing: filePath
      .optional()
      .describe(
        `The keys that the tokens of people are encrypted under; ${DEFAULT_RING} where no transit key is named. Created with ` +
          'mode 0600 when the first one is kept; every gateway on one database needs the same. Without it nobody can read these ' +
          'tokens again.',
      ),
    transit: transit.optional(),
    renewBefore: duration
      .prefault('5m')
      .describe(
        'How long before its end a token is renewed; of a token that lives shorter, in the last quarter of its life.',
      ),
  })
  .refine(({ keyRing, transit: key }) => keyRing === undefined || key === undefined, {
    message: 'stands beside keyRing. The tokens of people are encrypted under one of the two: remove the other.',
    path: ['transit'],
  })
  .prefault({})
  .describe("Tokens of people for servers that ask for each person's own consent.");

/** What data keys of grants are wrapped with: a key ring for grants and nothing else, or a key of the configured Vault. */
export type WrappingConfig =
  | { readonly kind: 'ring'; readonly file: string }
  | { readonly kind: 'transit'; readonly mount: string; readonly key: string };

export type CredentialsConfig = {
  readonly wrapping: WrappingConfig;
  readonly renewBeforeMs: number;
};

export function compileCredentials(
  { keyRing, transit: key, renewBefore }: z.output<typeof credentialsSchema>,
  absolute: (file: string) => string,
): CredentialsConfig {
  return {
    wrapping:
      key === undefined ? { kind: 'ring', file: absolute(keyRing ?? DEFAULT_RING) } : { kind: 'transit', ...key },
    renewBeforeMs: renewBefore,
  };
}
