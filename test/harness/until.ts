/** Waits for what another process does, within a bound that says what was waited for. */

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 20;

/** Resolves to the first value that is neither undefined nor false. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for: ${what}`);
    await pause(POLL_MS);
  }
}
