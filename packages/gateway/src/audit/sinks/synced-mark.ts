/**
 * How much of the audit file is on stable storage. Sinks are given nothing beyond it: a record that a power loss takes back is
 * replaced by another one with the same number, and a sink that had the first would never ask for the second.
 *
 * It looks on as the file is written and synced, costs nothing beside a count, and wakes whoever waits after each sync.
 */

import { stat } from 'node:fs/promises';

import type { AppendFile } from '../batch-writer.ts';

type OpenFile = (path: string) => Promise<AppendFile>;

export class SyncedMark {
  readonly #path: string;
  #current: { readonly id: string; readonly opening: number; bytes: number } | undefined;
  #openings = 0;
  readonly #waiting = new Set<() => void>();

  /** Of the file that is written to; older files of the record are on stable storage as a whole. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Opens files as `open` does; the one at the mark's path is watched. */
  watching(open: OpenFile): OpenFile {
    return async (path) => {
      const file = await open(path);
      return path === this.#path ? this.#watch(file) : file;
    };
  }

  /** Bytes of that file that are on stable storage; undefined when it is not the one that is written to. */
  of(id: string): { readonly bytes: number; readonly opening: number } | undefined {
    return this.#current?.id === id ? this.#current : undefined;
  }

  /** Resolves after the next sync, after `timeoutMs`, or when the signal says so. Never rejects. */
  changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#waiting.add(resolve);
    const abort = (): void => resolve();
    signal.addEventListener('abort', abort, { once: true });
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      this.#waiting.delete(resolve);
    });
  }

  async #watch(file: AppendFile): Promise<AppendFile> {
    // What was there before was synced when it was opened; a torn end may still be cut off before the first write.
    const { id, size } = await fileAt(this.#path);
    const mark = { id, opening: (this.#openings += 1), bytes: size };
    this.#current = mark;
    let written: number | undefined;
    return {
      write: async (bytes) => {
        if (written === undefined) {
          // Whatever is wrong with the path is the writer's to find out.
          written = (await fileAt(this.#path).catch(() => ({ size }))).size;
          mark.bytes = written;
        }
        const taken = await file.write(bytes);
        written += taken;
        return taken;
      },
      sync: async () => {
        const upTo = written;
        await file.sync();
        if (upTo === undefined) return;
        mark.bytes = upTo;
        this.#wake();
      },
      close: () => file.close(),
    };
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

/** What tells a file from another one at the same path. */
export async function fileAt(path: string): Promise<{ readonly id: string; readonly size: number }> {
  return identify(await stat(path, { bigint: true }));
}

export const identify = (found: { readonly dev: bigint; readonly ino: bigint; readonly size: bigint }) => ({
  id: `${found.dev}/${found.ino}`,
  size: Number(found.size),
});
