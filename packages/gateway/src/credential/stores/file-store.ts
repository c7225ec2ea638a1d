/**
 * `file:/path`: looked at again at most once a second and read again when it changed. Kubernetes and Docker replace mounted
 * secrets by swapping a link (`..data`) folders above, so what the path leads to is looked at and nothing is watched.
 */

import { open, stat } from 'node:fs/promises';

import { Secret } from '../../model/secret.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from '../secret-store.ts';

export type FileStoreOptions = {
  /** How often a file is looked at. */
  readonly checkMs?: number;
  /** A larger file is not a secret but a mistake. */
  readonly maxBytes?: number;
};

export function createFileStore({ checkMs = 1000, maxBytes = 65_536 }: FileStoreOptions = {}): SecretStore {
  const read = async (path: string, stamp: string): Promise<Lease> => ({
    value: new Secret(await readSecret(path, maxBytes)),
    version: stamp,
    checkAfterMs: checkMs,
  });
  const explained = async (path: string, task: () => Promise<Lease>): Promise<Lease> => {
    try {
      return await task();
    } catch (error) {
      throw asUnresolved(path, error);
    }
  };
  return {
    // The stamp first: what changes while it is read is seen the next time.
    read: (path) => explained(path, async () => read(path, await stampOf(path))),
    renew: (path, lease) =>
      explained(path, async () => {
        const stamp = await stampOf(path);
        return stamp === lease.version ? lease : read(path, stamp);
      }),
    close: () => Promise.resolve(),
  };
}

/** What identifies the content without reading it. */
async function stampOf(path: string): Promise<string> {
  const stats = await stat(path);
  // To open a pipe waits until somebody writes into it, on a thread that the audit file is written with.
  if (stats.isFIFO()) throw new UnresolvedReferenceError(`file:${path} is a pipe. Write the secret into a file.`);
  const { mtimeMs, size, ino } = stats;
  return `${Math.round(mtimeMs * 1000)}/${size}/${ino}`;
}

/** One newline at the end is an editor's, not the secret's. */
async function readSecret(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(maxBytes + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > maxBytes) {
      throw new UnresolvedReferenceError(`file:${path} holds more than ${maxBytes} bytes: it is not a secret.`);
    }
    const value = bytes.toString('utf8', 0, bytesRead).replace(/\r?\n$/, '');
    bytes.fill(0);
    if (value === '') throw new UnresolvedReferenceError(`file:${path} is empty. Write the secret into it.`);
    return value;
  } finally {
    await file.close();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist. Create the file, or correct the path',
  EACCES: 'may not be read by the gateway. Give its user the right to read it',
  EISDIR: 'is a folder. Name the file in it',
};

function asUnresolved(path: string, error: unknown): UnresolvedReferenceError {
  if (error instanceof UnresolvedReferenceError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const reason = REASONS[code] ?? `cannot be read (${code})`;
  return new UnresolvedReferenceError(`file:${path} ${reason}.`, { cause: error });
}
