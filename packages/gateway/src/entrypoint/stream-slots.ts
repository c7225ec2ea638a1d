/** Counts the event streams that stay open, in all and for each caller. */

import type { PrincipalKey } from '../model/principal.ts';

export type StreamSlots = {
  /** A function that gives the slot back, or undefined when there is none left. Giving it back twice is harmless. */
  take(principal: PrincipalKey): (() => void) | undefined;
  readonly taken: number;
};

export function createStreamSlots(limits: { maxStreams: number; maxStreamsPerPrincipal: number }): StreamSlots {
  // Bounded by maxStreams: a caller without streams has no entry.
  const perPrincipal = new Map<PrincipalKey, number>();
  let taken = 0;
  return {
    take(principal) {
      const own = perPrincipal.get(principal) ?? 0;
      if (taken >= limits.maxStreams || own >= limits.maxStreamsPerPrincipal) return undefined;
      taken += 1;
      perPrincipal.set(principal, own + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        taken -= 1;
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
