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
  /** The file as it is now, read when it is first needed and again from time to time: a rotated ring needs no restart. */
  readonly load: () => Promise<WrappingKeys>;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** How often the file is looked at, at most. Default 5,000. */
  readonly checkMs?: number;
  /** The file could not be read again; the ring that was read last stays in use. */
  readonly onTrouble?: (error: unknown) => void;
};

/** A key that is missing is looked for this often, however many grants need it. */
const LOOK_AGAIN_MS = 250;
const MAX_MISSING = 100;

const ALGORITHM = 'aes-256-gcm';
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function createRingKeyWrapper(options: RingKeyWrapperOptions): KeyWrapper {
  const { file, load, clockMs, checkMs = 5_000 } = options;
  let ring: WrappingKeys | undefined;
  let lookedMs = -Infinity;
  let looking: Promise<WrappingKeys> | undefined;
  /** Keys that were looked for in vain, and when. */
  const missing = new Map<string, number>();

  const look = async (): Promise<WrappingKeys> => {
    try {
      ring = await load();
      return ring;
    } catch (error) {
      // A file that is being replaced is away for an instant, and the keys that were read are still good.
      if (ring === undefined) throw error;
      options.onTrouble?.(error);
      return ring;
    } finally {
      lookedMs = clockMs();
    }
  };
  /** Not older than `maxAgeMs`; whoever asks meanwhile shares the look at the file. */
  const held = async (maxAgeMs: number): Promise<WrappingKeys> => {
    if (ring !== undefined && clockMs() - lookedMs < maxAgeMs) return ring;
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  /** Begun now and not before: the file holds a key before anything is wrapped with it. */
  const lookAnew = async (): Promise<WrappingKeys> => {
    await looking?.catch(() => undefined);
    return held(0);
  };
  const secretOf = async (id: string): Promise<Buffer> => {
    let key = find(await held(checkMs), id);
    // Another gateway may have rotated the ring and wrapped with the new key since the last look.
    if (key === undefined && clockMs() - (missing.get(id) ?? -Infinity) >= LOOK_AGAIN_MS) {
      key = find(await lookAnew(), id);
    }
    if (key === undefined) {
      if (missing.size >= MAX_MISSING) missing.clear();
      missing.set(id, clockMs());
      throw unknownKey(id, file);
    }
    missing.delete(id);
    return Buffer.from(key.secret.expose(), 'base64url');
  };

  return {
    keyId: async () => (await held(checkMs)).current,
    async wrap(dataKey) {
      const { current: keyId } = await held(checkMs);
      const wrapped = encrypt({ secret: await secretOf(keyId), keyId }, dataKey);
      return { keyId, wrapped: wrapped.toString('base64url') };
    },
    async unwrap({ keyId, wrapped }) {
      const dataKey = decrypt({ secret: await secretOf(keyId), keyId }, Buffer.from(wrapped, 'base64url'));
      if (dataKey !== undefined) return dataKey;
      throw new WrappingKeyError(
        keyId,
        `The key "${keyId}" of the key ring ${file} is not the one that this grant was encrypted under, or the grant was changed in ` +
          'the database. Restore the key ring from a backup. Nothing was deleted.',
      );
    },
  };
}

const find = ({ keys }: WrappingKeys, id: string): WrappingKeys['keys'][number] | undefined =>
  keys.find((key) => key.id === id);

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
