/** Counts the event streams that stay open, in all and for each caller. */

import type { PrincipalKey } from '../model/principal.ts';

/** A stream whose client may come back to it. */
export type LostStream = { readonly isAway: boolean; end(): void };

export type StreamSlots = {
  /**
   * A function that gives the slot back, or undefined when there is none left. Giving it back twice is harmless. A stream that
   * only waits for its client gives its place to one that is there.
   */
  take(principal: PrincipalKey, stream?: () => LostStream | undefined): (() => void) | undefined;
  readonly taken: number;
};

export function createStreamSlots(limits: { maxStreams: number; maxStreamsPerPrincipal: number }): StreamSlots {
  // Bounded by maxStreams: a caller without streams has no entry.
  const perPrincipal = new Map<PrincipalKey, number>();
  /** The oldest first. */
  const resumable = new Map<PrincipalKey, Set<() => LostStream | undefined>>();
  let taken = 0;
  const isFull = (principal: PrincipalKey): boolean =>
    taken >= limits.maxStreams || (perPrincipal.get(principal) ?? 0) >= limits.maxStreamsPerPrincipal;
  const awayOf = (principal: PrincipalKey): LostStream | undefined => {
    for (const stream of resumable.get(principal) ?? []) if (stream()?.isAway === true) return stream();
    return undefined;
  };
  return {
    take(principal, stream) {
      if (isFull(principal)) awayOf(principal)?.end();
      if (isFull(principal)) return undefined;
      const own = perPrincipal.get(principal) ?? 0;
      taken += 1;
      perPrincipal.set(principal, own + 1);
      const others = resumable.get(principal) ?? new Set();
      if (stream !== undefined) resumable.set(principal, others.add(stream));
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        taken -= 1;
        if (stream !== undefined) others.delete(stream);
        if (others.size === 0) resumable.delete(principal);
        const left = (perPrincipal.get(principal) ?? 1) - 1;
        if (left === 0) perPrincipal.delete(principal);
        else perPrincipal.set(principal, left);
      };
    },
    get taken() {
      return taken;
    },
  };
}
