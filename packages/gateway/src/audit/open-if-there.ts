/** A file that rotation or retention may have taken away meanwhile. */

import { open, type FileHandle } from 'node:fs/promises';

import { hasCode } from './error-code.ts';

/** For reading. Undefined when it is not there. @throws the file system's other errors */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
