/**
 * Rotation of the key that protects data keys, while everything goes on: what is under another key than the current one is
 * wrapped anew, a few at a time. It can be stopped anywhere and begun again: what is done is found by its key's id.
 */

import type { Envelope } from './envelope.ts';
import type { GrantKeys, Rewrap } from './grant-rows.ts';
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
    const changes: Rewrap[] = [];
    for (const { place, sealed } of rows) {
      try {
        changes.push({ place, before: sealed, after: await envelope.rewrap(sealed, signal) });
      } catch (error) {
        if (!(error instanceof WrappingKeyError)) throw error;
        unopened[error.keyId] = (unopened[error.keyId] ?? 0) + 1;
      }
    }
    // What was written meanwhile is under the current key already, and is not counted.
    if (changes.length > 0) rewrapped += await keys.rewrap(changes);
    after = rows.at(-1)?.place;
    if (rows.length < batch) return { keyId, rewrapped, unopened };
  }
}
