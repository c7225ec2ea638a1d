/** The lines of one record, oldest first: those of files that were rotated away, and then those of the file that is written. */

import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { openIfThere } from './open-if-there.ts';
import { segmentsOf } from './segments.ts';

/**
 * A file that is rotated while this reads is read once all the same: the newest file is opened first, and counts as the
 * newest only if nothing was rotated away until then.
 *
 * @throws the file system's error; ENOENT only when there is no file at all.
 */
export async function* recordLines(file: string): AsyncGenerator<string> {
  const read = new Set<string>();
  for (;;) {
    const newest = await openIfThere(file);
    try {
      const older = (await segmentsOf(file)).filter(({ first, path }) => first !== undefined && !read.has(path));
      if (older.length === 0) {
        if (newest !== undefined) yield* linesOf(newest);
        else if (read.size === 0) throw missing(file);
        return;
      }
      for (const { path } of older) {
        read.add(path);
        const handle = await openIfThere(path);
        // Retention may have removed it meanwhile.
        if (handle !== undefined) yield* linesOf(handle);
      }
    } finally {
      await newest?.close();
    }
  }
}

/** Closes it. */
async function* linesOf(handle: FileHandle): AsyncGenerator<string> {
  const input = createReadStream('', { fd: handle, encoding: 'utf8', autoClose: false });
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    input.destroy();
    await handle.close();
  }
}

const missing = (file: string): Error => Object.assign(new Error(`no such file: ${file}`), { code: 'ENOENT' });
