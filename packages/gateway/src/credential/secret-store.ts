/**
 * The port for places where secrets are kept. A store only reads: it has no cache, no timer and no retry of its own, because
 * `LeasedSecret` has them for all of them.
 */

import type { Secret } from '../model/secret.ts';

export type Lease = {
  /** A text, or the named values that lie under one reference and belong together (`#username` and `#password`). */
  readonly value: Secret | Readonly<Record<string, Secret>>;
  /** The store's own name for this state of it, where it has one. Says nothing about the value. */
  readonly version?: string;
  /** After so long it is looked at again. */
  readonly checkAfterMs: number;
  /** After so long it must not be used any more. Absent: it has no end while nothing better is known. */
  readonly lastsMs?: number;
  /** `lastsMs` is the store's own word, and not how long we trust a value without looking. */
  readonly ends?: boolean;
};

export interface SecretStore {
  /** @throws UnresolvedReferenceError, which says what to do. Bounded in time by itself. */
  read(reference: string, signal: AbortSignal): Promise<Lease>;
  /** The lease once more, or what is there in its place; what was read by then may be used until its own end. */
  renew(reference: string, lease: Lease, signal: AbortSignal): Promise<Lease>;
  /** Gives back what can be given back, within a second or so. Idempotent. */
  close(): Promise<void>;
}

/** A reference that leads nowhere. The message names it, says why, and what to do. */
export class UnresolvedReferenceError extends Error {
  /**
   * `gone`: the store answered that there is nothing, so what was read before is not used any longer either. `away`: the store
   * itself cannot be asked, whatever for. Undefined: something else is wrong with this reference.
   */
  readonly fault: 'gone' | 'away' | undefined;

  constructor(message: string, options?: ErrorOptions & { readonly fault?: 'gone' | 'away' | undefined }) {
    super(message, options);
    this.name = 'UnresolvedReferenceError';
    this.fault = options?.fault;
  }
}
