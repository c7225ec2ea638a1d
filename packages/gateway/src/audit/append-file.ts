/** The operating system's append-only file, in the shape the batch writer wants. */

import { constants, fdatasync, write } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { AppendFile } from './batch-writer.ts';

/**
 * Opens `path` for appending; a new file has mode 0600 and is on stable storage together with its name.
 *
 * @throws the file system's error, or an Error when `path` is not a regular file
 */
export async function openAppendFile(path: string): Promise<AppendFile> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Without O_NONBLOCK, a pipe would hold the start until somebody reads from it. Windows has neither.
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0);
  const handle = await open(path, flags, 0o600);
  if (!(await handle.stat()).isFile()) {
    await handle.close();
    throw new Error(`The audit file ${path} is not a regular file: its chain could not be read back.`);
  }
  await handle.sync();
  await syncFolder(folder);
  const { fd } = handle;
  // The callback functions cost half of what the file handle's promises cost.
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        write(fd, bytes, 0, bytes.length, null, (error, taken) => (error === null ? resolve(taken) : reject(error)));
      }),
    sync: () =>
      new Promise((resolve, reject) => {
        fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
      }),
    close: () => handle.close(),
  };
}

/** A new name is durable only when its folder is. Some systems cannot sync a folder; theirs are durable by themselves. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EISDIR' || error.code === 'EPERM')))
      throw error;
  }
}
