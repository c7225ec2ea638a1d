/** The operating system's append-only file, in the shape the batch writer wants, and what is done to its name. */

import { constants, fdatasync, write } from 'node:fs';
import { lstat, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { AppendFile } from './batch-writer.ts';
import { hasCode } from './error-code.ts';

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

/** What rotation does to files; a test's file system can fail or stop between any two of these. */
export interface AuditFiles {
  open(path: string): Promise<AppendFile>;
  /** Never over another file. */
  rename(from: string, to: string): Promise<void>;
  /** A new name is durable only when its folder is. */
  syncFolder(path: string): Promise<void>;
  /** What stands at the path now; undefined when nothing does. */
  look(path: string): Promise<FoundFile | undefined>;
}

export type FoundFile = { readonly id: string; readonly bytes: number };

export const auditFiles: AuditFiles = {
  open: openAppendFile,
  async rename(from, to) {
    // One writer holds the lock of this record, so that nobody can put a file there between the look and the act.
    const taken = await lstat(to).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (taken !== undefined) throw new Error(`${to} is there already, and is not written over.`);
    await rename(from, to);
  },
  syncFolder,
  async look(path) {
    try {
      const { dev, ino, size } = await stat(path, { bigint: true });
      return { id: `${dev}/${ino}`, bytes: Number(size) };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  },
};

/** Some systems cannot sync a folder; theirs are durable by themselves. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (!hasCode(error, 'EISDIR') && !hasCode(error, 'EPERM')) throw error;
  }
}
