/**
 * The sealer: AES-256-GCM under the key ring. A token is `<key id>.<base64url(salt, ciphertext, tag)>`. Every token has a
 * key and a nonce of its own, derived from a random salt and the purpose (HKDF, RFC 5869), so the number of tokens under
 * one ring key is not limited by the 96 bits of a random GCM nonce (NIST SP 800-38D, 8.3).
 */

import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

import type { JsonObject } from '../model/json.ts';
import { isJsonObject } from '../model/json.ts';
import type { Result } from '../model/result.ts';
import { err, ok } from '../model/result.ts';
import type { KeyRing } from './key-ring.ts';
import type { SealFault, SealPurpose, Sealer } from './sealer.ts';
import type { OpenedToken } from './token-cache.ts';
import { createTokenCache } from './token-cache.ts';

export type SealerOptions = {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** How many opened session tokens are remembered. Default 1,000. */
  readonly rememberedSessions?: number;
  /** Longer tokens are refused unread. Default 8 KiB. */
  readonly maxTokenBytes?: number;
};

const ALGORITHM = 'aes-256-gcm';
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A sealer over `ring`. To rotate keys, load the ring again and make a new sealer. */
export function createSealer(ring: KeyRing, options: SealerOptions): Sealer {
  const { now, randomBytes, rememberedSessions = 1_000, maxTokenBytes = 8 * 1024 } = options;
  const secrets = new Map(ring.keys.map(({ id, secret }) => [id, Buffer.from(secret.expose(), 'base64url')]));
  const currentSecret = secrets.get(ring.current);
  if (currentSecret === undefined) throw new Error('The key ring has no key with the id that "current" names.');
  const remembered = createTokenCache(rememberedSessions);

  function openFresh(purpose: SealPurpose, token: string): Result<OpenedToken, SealFault> {
    if (token.length > maxTokenBytes) return err('malformed');
    const dot = token.indexOf('.');
    if (dot < 1) return err('malformed');
    const sealed = decodeBase64Url(token.slice(dot + 1));
    if (sealed === undefined || sealed.length < SALT_BYTES + TAG_BYTES) return err('malformed');
    const keyId = token.slice(0, dot);
    const secret = secrets.get(keyId);
    if (secret === undefined) return err('unknown-key');
    const opened = decrypt({ secret, keyId, purpose }, sealed);
    return opened === undefined ? err('forged') : ok(opened);
  }

  return {
    seal(purpose, payload, lifetimeMs) {
      if (!(lifetimeMs > 0)) throw new RangeError('A sealed value needs a lifetime above zero.');
      const plain = JSON.stringify([now() + lifetimeMs, payload]);
      const sealed = encrypt({ secret: currentSecret, keyId: ring.current, purpose }, randomBytes(SALT_BYTES), plain);
      return `${ring.current}.${sealed.toString('base64url')}`;
    },
    open(purpose, token) {
      const known = purpose === 'session' ? remembered.get(token) : undefined;
      const opened: Result<OpenedToken, SealFault> = known === undefined ? openFresh(purpose, token) : ok(known);
      if (!opened.ok) return opened;
      if (opened.value.expiresAtMs <= now()) {
        remembered.delete(token);
        return err('expired');
      }
      if (known === undefined && purpose === 'session') remembered.set(token, opened.value);
      return ok(opened.value.payload);
    },
  };
}

type KeyUse = { readonly secret: Buffer; readonly keyId: string; readonly purpose: SealPurpose };

function deriveKey({ secret, purpose }: KeyUse, salt: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const derived = new Uint8Array(
    hkdfSync('sha256', secret, salt, `sallyport seal 1 ${purpose}`, KEY_BYTES + NONCE_BYTES),
  );
  return { key: derived.subarray(0, KEY_BYTES), nonce: derived.subarray(KEY_BYTES) };
}

/** Purpose and key id are authenticated too: a cursor never opens as a session, nor under another key's name. */
const associatedData = ({ keyId, purpose }: KeyUse): Buffer => Buffer.from(`sallyport seal 1 ${purpose} ${keyId}`);

function encrypt(use: KeyUse, salt: Uint8Array, plain: string): Buffer {
  const { key, nonce } = deriveKey(use, salt);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData(use));
  return Buffer.concat([salt, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(use: KeyUse, sealed: Buffer): OpenedToken | undefined {
  const { key, nonce } = deriveKey(use, sealed.subarray(0, SALT_BYTES));
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(use));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  let plain: string;
  try {
    const body = sealed.subarray(SALT_BYTES, sealed.length - TAG_BYTES);
    plain = decipher.update(body, undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return undefined;
  }
  return parseOpened(plain);
}

/** The text is our own, authenticated; the checks give it a type and keep an older format from passing for this one. */
function parseOpened(plain: string): OpenedToken | undefined {
  const value: unknown = JSON.parse(plain);
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [expiresAtMs, payload]: unknown[] = value;
  if (typeof expiresAtMs !== 'number' || !isJsonObject(payload)) return undefined;
  return { expiresAtMs, payload: freezeDeep<JsonObject>(payload) };
}

/** Remembered payloads are handed out many times: nobody may change them. */
function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) freezeDeep(child);
  }
  return value;
}

/** Node ignores characters it does not know and spare bits at the end; one token must have one spelling. */
function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
