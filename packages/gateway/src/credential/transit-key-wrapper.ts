/**
 * Data keys wrapped by a key that never leaves its Vault (the transit engine). A rotation happens there: what is written from
 * then on is under the new version, and what is older is wrapped anew as for a key ring.
 */

import { VaultError } from './stores/vault-request.ts';
import { transitVersion, type TransitKey } from './stores/transit-key.ts';
import { WrappingKeyError, type KeyWrapper } from './key-wrapper.ts';

export type TransitKeyWrapperOptions = {
  readonly transit: TransitKey;
  /** Where the engine is mounted, and the key's name there: both stand in the id of every wrapped key. */
  readonly mount: string;
  readonly key: string;
};

export function createTransitKeyWrapper({ transit, mount, key }: TransitKeyWrapperOptions): KeyWrapper {
  const name = `${mount}/${key}`;
  const idOf = (version: number): string => `${name}:v${version}`;

  const ask = async <T>(keyId: string, question: () => Promise<T>): Promise<T> => {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof VaultError) || !isFinal(error)) throw error;
      throw new WrappingKeyError(
        keyId,
        `The Vault refuses the transit key "${keyId}": ${error.message}. Let the gateway's policy use it, or restore the key and its ` +
          'old versions there. Nothing was deleted.',
        { cause: error },
      );
    }
  };

  return {
    keyId: async (signal) => idOf(await ask(name, () => transit.latestVersion(signal))),
    async wrap(dataKey, signal) {
      const wrapped = await ask(name, () => transit.encrypt(dataKey, signal));
      const version = transitVersion(wrapped);
      // Under an id that is made up it would never be found by a rotation.
      if (version === undefined) throw new Error(`The transit key ${name} answered with what no transit key writes.`);
      return { keyId: idOf(version), wrapped };
    },
    async unwrap({ keyId, wrapped }, signal) {
      const version = transitVersion(wrapped);
      if (version === undefined || idOf(version) !== keyId) {
        throw new WrappingKeyError(
          keyId,
          `A grant is encrypted under the key "${keyId}", and the configuration names the transit key "${name}". Name the key that it was ` +
            'encrypted under in credentials, or revoke these grants. Nothing was deleted.',
        );
      }
      return ask(keyId, () => transit.decrypt(wrapped, signal));
    },
  };
}

/** Of these, the Vault may say something else in a moment: it is behind another one (412), or too busy. */
const PASSING: ReadonlySet<number> = new Set([412, 429]);

/** It answered, and will say the same again. One that is away, sealed or on standby has not answered (0, 5xx). */
const isFinal = ({ status }: VaultError): boolean => status >= 400 && status < 500 && !PASSING.has(status);
