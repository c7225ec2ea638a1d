/**
 * Keeps streamed results from filling memory with buffers that nobody uses any more. Every read of a socket takes a new
 * 64 KiB buffer outside V8's heap, and V8 looks for dead ones only when some 64 MB of them have piled up, because the
 * objects that hold them are tiny. So for bytes that only pass through, a look at the young generation is asked for more
 * often. Measured with 20 results of 10 MB at once: resident memory grows by 20 MB instead of 75, for 1 to 2 ms per 8 MiB.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const EVERY_BYTES = 8 * 1024 * 1024;

/** One heap, one count: all streams of the process share it. */
let passedBytes = 0;
let collectYoung: (() => void) | undefined;

/** Counts bytes that were handed on and are of no further use here. */
export function passed(bytes: number): void {
  passedBytes += bytes;
  if (passedBytes < EVERY_BYTES) return;
  passedBytes = 0;
  collectYoung ??= findCollector();
  collectYoung();
}

/** V8 shows `gc` to contexts that are made while its flag is set; nothing else of the program gets to see it. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof found === 'function'
    ? () => void Reflect.apply(found, undefined, [{ type: 'minor' }])
    : () => undefined;
}
