/**
 * Large results pass through as buffers of up to 64 KiB that are dead a moment later. V8 hardly sees them, because they lie
 * outside its heap, and lets them pile up to 64 MB before it looks. A minor collection for every 16 MiB that passed keeps
 * them few: 20 results of 10 MB at once raised resident memory by 25 to 30 MB instead of 72 to 86, at 1 to 3 ms each.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const COLLECT_EVERY_BYTES = 16 * 1024 * 1024;

type Collect = (options: { readonly type: 'minor' }) => void;

const isCollect = (value: unknown): value is Collect => typeof value === 'function';

/** V8 hands its collector out to a context made while the flag is set, and to no other. */
function obtainCollect(): Collect {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  return isCollect(found) ? found : () => undefined;
}

// For the whole process, because so is its memory.
let sinceLast = 0;
let collect: Collect | undefined;

/** Counts bytes of results that are streamed past, and collects when enough of them have. */
export function noteStreamed(bytes: number): void {
  sinceLast += bytes;
  if (sinceLast < COLLECT_EVERY_BYTES) return;
  sinceLast = 0;
  collect ??= obtainCollect();
  collect({ type: 'minor' });
}
