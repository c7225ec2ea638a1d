/**
 * Data keys wrapped by a key ring in a file. Each wrap has a key and a nonce of its own, derived from a random salt (HKDF, RFC
 * 5869), so the number of records under one ring key is not limited by the 96 bits of a GCM nonce (NIST SP 800-38D, 8.3).
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

import type { Secret } from '../model/secret.ts';
import { WrappingKeyError, type KeyWrapper } from './key-wrapper.ts';

/** What a key ring's file holds. */
export type WrappingKeys = {
  readonly current: string;
  readonly keys: readonly { readonly id: string; readonly secret: Secret }[];
};

export type RingKeyWrapperOptions = {
  /** For messages. */
  readonly file: string;
  readonly ring: WrappingKeys;
  /** The file as it is now: a rotated ring is used without a restart. */
  readonly reload: () => Promise<WrappingKeys>;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** How often the file is looked at, at most. Default 5,000. */
  readonly checkMs?: number;
  /** The file could not be read again; the ring that was read last stays in use. */
  readonly onTrouble?: (error: unknown) => void;
};

const ALGORITHM = 'aes-256-gcm';
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function createRingKeyWrapper(options: RingKeyWrapperOptions): KeyWrapper {
  const { file, clockMs, checkMs = 5_000 } = options;
  let { ring } = options;
  let lookedMs = clockMs();
  let looking: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    try {
      ring = await options.reload();
    } catch (error) {
      options.onTrouble?.(error);
    }
    lookedMs = clockMs();
  };
  const fresh = async (): Promise<WrappingKeys> => {
    if (clockMs() - lookedMs < checkMs) return ring;
    looking ??= look().finally(() => {
      looking = undefined;
    });
    await looking;
    return ring;
  };
  const secretOf = (id: string): Buffer | undefined => {
    const key = ring.keys.find((one) => one.id === id);
    return key === undefined ? undefined : Buffer.from(key.secret.expose(), 'base64url');
  };

  return {
    keyId: async () => (await fresh()).current,
    async wrap(dataKey) {
      const { current } = await fresh();
      const secret = secretOf(current);
      if (secret === undefined) throw unknownKey(current, file);
      return { keyId: current, wrapped: encrypt({ secret, keyId: current }, dataKey).toString('base64url') };
    },
    async unwrap({ keyId, wrapped }) {
      await fresh();
      const secret = secretOf(keyId);
      if (secret === undefined) throw unknownKey(keyId, file);
      const dataKey = decrypt({ secret, keyId }, Buffer.from(wrapped, 'base64url'));
      if (dataKey !== undefined) return dataKey;
      throw new WrappingKeyError(
        keyId,
        `The key "${keyId}" of the key ring ${file} is not the one that this grant was encrypted under, or the grant was changed in the ` +
          'database. Restore the key ring from a backup. Nothing was deleted.',
      );
    },
  };
}

const unknownKey = (keyId: string, file: string): WrappingKeyError =>
  new WrappingKeyError(
    keyId,
    `The key "${keyId}" is not in the key ring ${file}, and grants are encrypted under it. Put it back from a backup, or revoke ` +
      'these grants. Nothing was deleted.',
  );

type KeyUse = { readonly secret: Buffer; readonly keyId: string };

function derive({ secret }: KeyUse, salt: Uint8Array): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  const bytes = new Uint8Array(hkdfSync('sha256', secret, salt, 'sallyport data key 1', KEY_BYTES + NONCE_BYTES));
  return { key: bytes.subarray(0, KEY_BYTES), nonce: bytes.subarray(KEY_BYTES) };
}

function encrypt(use: KeyUse, dataKey: Uint8Array): Buffer {
  const salt = randomBytes(SALT_BYTES);
  const { key, nonce } = derive(use, salt);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(use.keyId));
  return Buffer.concat([salt, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined for what was not made with this key. */
function decrypt(use: KeyUse, wrapped: Buffer): Uint8Array | undefined {
  if (wrapped.length !== SALT_BYTES + KEY_BYTES + TAG_BYTES) return undefined;
  const { key, nonce } = derive(use, wrapped.subarray(0, SALT_BYTES));
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(use.keyId));
  decipher.setAuthTag(wrapped.subarray(SALT_BYTES + KEY_BYTES));
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(SALT_BYTES, SALT_BYTES + KEY_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}
