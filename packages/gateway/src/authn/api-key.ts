/**
 * The text of an API key: `sp_`, 32 random bytes and a checksum. Prefix and checksum let secret scanners recognise a
 * leaked key, and tell a mistyped key from one that was revoked.
 */

import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { Secret } from '../model/secret.ts';

export const API_KEY_PREFIX = 'sp_';

const RANDOM_BYTES = 32;

/** `sp_`, then 43 characters of randomness and 6 of checksum, all base64url. */
const SHAPE = /^sp_[A-Za-z0-9_-]{49}$/u;

const CHECKSUM_LENGTH = 6;

/** A new key, and what to store of it. `randomBytes` is `node:crypto`'s or as good. */
export function createApiKey(randomBytes: (size: number) => Uint8Array): {
  readonly key: Secret;
  readonly hash: string;
} {
  const random = randomBytes(RANDOM_BYTES);
  if (random.length !== RANDOM_BYTES) throw new RangeError(`an API key needs ${RANDOM_BYTES} random bytes`);
  const body = API_KEY_PREFIX + Buffer.from(random).toString('base64url');
  const text = body + checksum(body);
  return { key: new Secret(text), hash: `sha256:${apiKeyDigest(text)}` };
}

/** Could this be a key that {@link createApiKey} made? */
export const isApiKey = (text: string): boolean =>
  SHAPE.test(text) && checksum(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);

/** SHA-256 in lower-case hex: what is stored, and looked up by. A key has 256 random bits, so it needs no salt. */
export const apiKeyDigest = (text: string): string => hash('sha256', text, 'hex');

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64url');
}
