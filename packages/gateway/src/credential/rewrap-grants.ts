/**
 * Rotation of the key that protects data keys, while everything goes on: what is under another key than the current one is
 * wrapped anew, a few at a time. It can be stopped anywhere and begun again: what is done is found by its key's id.
 */

import type { Envelope } from './envelope.ts';
import type { GrantKeys } from './grant-rows.ts';
import { WrappingKeyError } from './key-wrapper.ts';

export type RewrapParts = {
  readonly keys: GrantKeys;
  readonly envelope: Envelope;
  /** Rows in one round. Default 100. */
  readonly batch?: number;
  readonly signal: AbortSignal;
};

export type Rewrapped = {
  /** The key that everything is under now, but for what is counted in `unopened`. */
  readonly keyId: string;
  readonly rewrapped: number;
  /** Rows whose own key is missing or another one, by its id. They stay as they are. */
  readonly unopened: Readonly<Record<string, number>>;
};

/** @throws when the database or the home of the keys is away: begin again. */
export async function rewrapGrants({ keys, envelope, batch = 100, signal }: RewrapParts): Promise<Rewrapped> {
  const keyId = await envelope.keyId(signal);
  const unopened: Record<string, number> = {};
  let rewrapped = 0;
  let after: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const { rows } = await keys.notUnder(keyId, { ...(after === undefined ? {} : { after }), limit: batch });
    for (const { place, sealed } of rows) {
      try {
        // False: it was written meanwhile, and is under the current key already.
        if (await keys.rewrap(place, sealed, await envelope.rewrap(sealed, signal))) rewrapped += 1;
      } catch (error) {
        if (!(error instanceof WrappingKeyError)) throw error;
        unopened[error.keyId] = (unopened[error.keyId] ?? 0) + 1;
      }
    }
    after = rows.at(-1)?.place;
    if (rows.length < batch) return { keyId, rewrapped, unopened };
  }
}
