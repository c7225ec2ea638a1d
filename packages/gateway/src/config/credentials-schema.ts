/** Settings of `credentials`: how tokens of people are kept and renewed. Every description is read by operators. */

import * as z from 'zod';

import { duration, filePath } from './schema-words.ts';

export const credentialsSchema = z
  .strictObject({
    keyRing: filePath
      .default('./data/grants.keys.json')
      .describe(
        'The keys that the tokens of people are encrypted under. Created with mode 0600 when the first one is kept; every ' +
          'gateway on one database needs the same. Without it nobody can read these tokens again.',
      ),
    renewBefore: duration
      .prefault('5m')
      .describe(
        'How long before its end a token is renewed; of a token that lives shorter, in the last quarter of its life.',
      ),
  })
  .prefault({})
  .describe("Tokens of people for servers that ask for each person's own consent.");

export type CredentialsConfig = {
  /** The key ring for grants, and for nothing else. */
  readonly keyRingFile: string;
  readonly renewBeforeMs: number;
};

export function compileCredentials(
  { keyRing, renewBefore }: z.output<typeof credentialsSchema>,
  absolute: (file: string) => string,
): CredentialsConfig {
  return { keyRingFile: absolute(keyRing), renewBeforeMs: renewBefore };
}
