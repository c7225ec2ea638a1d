/**
 * The port for the keys that protect data keys: a key ring of ours, or a store that never gives its keys away (the transit
 * engine of a Vault). Every record has a data key of its own, so what goes through here is 32 bytes, never a token.
 */

/** A data key as it is stored beside its record. */
export type WrappedKey = {
  /** Which key opens it again: for messages, and to find what a rotation has to wrap anew. At most 128 characters. */
  readonly keyId: string;
  readonly wrapped: string;
};

export interface KeyWrapper {
  /** The id of the key that `wrap` uses now. What is wrapped under another one is wrapped anew in the background. */
  keyId(signal: AbortSignal): Promise<string>;
  /** Must not keep `dataKey`: its owner overwrites it. */
  wrap(dataKey: Uint8Array, signal: AbortSignal): Promise<WrappedKey>;
  /** @throws WrappingKeyError when the key is missing or another one; any other error means that it is tried again. */
  unwrap(key: WrappedKey, signal: AbortSignal): Promise<Uint8Array>;
}

/** A record cannot be opened with the keys there are. The message names the key, and what to do; nothing was deleted. */
export class WrappingKeyError extends Error {
  readonly keyId: string;

  constructor(keyId: string, problem: string, options?: ErrorOptions) {
    super(problem, options);
    this.name = 'WrappingKeyError';
    this.keyId = keyId;
  }
}
