/** A key that never leaves its Vault (the transit engine): it encrypts and decrypts data keys of ours, and is rotated there. */

import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { VaultClient } from './vault-client.ts';

export type TransitKeyOptions = {
  readonly client: Pick<VaultClient, 'request'>;
  /** Where the engine is mounted, for example `transit`. */
  readonly mount: string;
  readonly key: string;
};

export interface TransitKey {
  /** Of the key now: what was encrypted under an older one can still be decrypted, and be encrypted anew. */
  latestVersion(signal: AbortSignal): Promise<number>;
  /** `vault:v<version>:…`. Must not keep `dataKey`: its owner overwrites it. @throws VaultError */
  encrypt(dataKey: Uint8Array, signal: AbortSignal): Promise<string>;
  /** The owner of the answer overwrites it. @throws VaultError */
  decrypt(ciphertext: string, signal: AbortSignal): Promise<Uint8Array>;
}

/** Undefined for what no transit key wrote. */
export function transitVersion(ciphertext: string): number | undefined {
  const version = /^vault:v(\d{1,9}):/.exec(ciphertext)?.[1];
  return version === undefined ? undefined : Number(version);
}

export function createTransitKey({ client, mount, key }: TransitKeyOptions): TransitKey {
  const data = async (path: string, body: JsonObject | undefined, signal: AbortSignal): Promise<JsonObject> => {
    const method = body === undefined ? 'GET' : 'POST';
    const answer = await client.request({ method, path: `${mount}/${path}/${key}`, ...(body && { body }) }, signal);
    if (!isJsonObject(answer?.['data'])) throw new Error(`The transit key ${mount}/${key} answered without data.`);
    return answer['data'];
  };
  return {
    async latestVersion(signal) {
      const { latest_version: version } = await data('keys', undefined, signal);
      if (typeof version !== 'number') throw new Error(`The transit key ${mount}/${key} tells no version.`);
      return version;
    },
    async encrypt(dataKey, signal) {
      const plaintext = Buffer.from(dataKey).toString('base64');
      const { ciphertext } = await data('encrypt', { plaintext }, signal);
      if (typeof ciphertext !== 'string') throw new Error(`The transit key ${mount}/${key} encrypted nothing.`);
      return ciphertext;
    },
    async decrypt(ciphertext, signal) {
      const { plaintext } = await data('decrypt', { ciphertext }, signal);
      if (typeof plaintext !== 'string') throw new Error(`The transit key ${mount}/${key} decrypted nothing.`);
      return Buffer.from(plaintext, 'base64');
    },
  };
}
