/**
 * A record encrypted on its own: AES-256-GCM under a data key that is made for this one writing and wrapped by a `KeyWrapper`.
 * To rotate the wrapping key, 32 bytes are wrapped anew and the record stays as it is.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { WrappingKeyError, type KeyWrapper, type WrappedKey } from './key-wrapper.ts';

/** What is stored; none of it says anything without the wrapping key. */
export type SealedRecord = WrappedKey & {
  /** base64url of nonce, ciphertext and tag. */
  readonly content: string;
};

export interface Envelope {
  /** `binding` is what the record is about: it opens under the same words only. */
  seal(text: string, binding: readonly (string | number)[], signal: AbortSignal): Promise<SealedRecord>;
  /** @throws WrappingKeyError; any other error means that the wrapping key's home could not be asked. */
  open(record: SealedRecord, binding: readonly (string | number)[], signal: AbortSignal): Promise<string>;
  /** The id of the key that new records are sealed under. */
  keyId(signal: AbortSignal): Promise<string>;
  /** Whether a record could be sealed now. @throws when not: like `seal` */
  ready(signal: AbortSignal): Promise<void>;
  /** The same record with its data key under the current wrapping key. @throws like `open` */
  rewrap(record: SealedRecord, signal: AbortSignal): Promise<SealedRecord>;
}

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
/** Random: each key encrypts once, so that no two nonces can meet under one. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function createEnvelope(wrapper: KeyWrapper): Envelope {
  return {
    keyId: (signal) => wrapper.keyId(signal),
    async seal(text, binding, signal) {
      const dataKey = randomBytes(KEY_BYTES);
      try {
        const nonce = randomBytes(NONCE_BYTES);
        const cipher = createCipheriv(ALGORITHM, dataKey, nonce, { authTagLength: TAG_BYTES });
        cipher.setAAD(associatedData(binding));
        const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
        return { ...(await wrapper.wrap(dataKey, signal)), content: sealed.toString('base64url') };
      } finally {
        dataKey.fill(0);
      }
    },
    async open(record, binding, signal) {
      const dataKey = await wrapper.unwrap(record, signal);
      const bytes = Buffer.from(record.content, 'base64url');
      try {
        if (bytes.length < NONCE_BYTES + TAG_BYTES || dataKey.length !== KEY_BYTES) throw new Error('too short');
        const tag = bytes.length - TAG_BYTES;
        const decipher = createDecipheriv(ALGORITHM, dataKey, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(associatedData(binding));
        decipher.setAuthTag(bytes.subarray(tag));
        return decipher.update(bytes.subarray(NONCE_BYTES, tag), undefined, 'utf8') + decipher.final('utf8');
      } catch {
        throw new WrappingKeyError(
          record.keyId,
          `A grant that was encrypted under the key "${record.keyId}" was changed in the database, or moved to another row. Its person has ` +
            'to log in again after it was revoked. Nothing was deleted.',
        );
      } finally {
        dataKey.fill(0);
      }
    },
    async ready(signal) {
      // Of no use to anybody, and so not overwritten.
      await wrapper.wrap(randomBytes(KEY_BYTES), signal);
    },
    async rewrap(record, signal) {
      const dataKey = await wrapper.unwrap(record, signal);
      try {
        return { ...(await wrapper.wrap(dataKey, signal)), content: record.content };
      } finally {
        dataKey.fill(0);
      }
    },
  };
}

/** JSON keeps the words apart: no two different bindings have the same bytes. */
const associatedData = (binding: readonly (string | number)[]): Buffer =>
  Buffer.from(JSON.stringify(['sallyport record 1', ...binding]), 'utf8');
