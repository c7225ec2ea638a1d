/**
 * Follows references to values. A file is looked at again at most once a second and read again when it changed, so that
 * a rotated secret is used without a restart; while it is away for a moment, the last value stays.
 */

import { open, stat } from 'node:fs/promises';

import type { Logger } from '../telemetry/logger.ts';
import { UnresolvedReferenceError, nameOf, type SecretSource } from './secret-source.ts';

export type SecretResolverOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** How often a file is looked at. */
  readonly checkMs?: number;
  /** A larger file is not a secret but a mistake. */
  readonly maxBytes?: number;
};

export interface SecretResolver {
  /** The value now, prefix included. @throws UnresolvedReferenceError */
  resolve(source: SecretSource): Promise<string>;
}

/** What identifies the content without reading it. */
type Stamp = { readonly mtimeMs: number; readonly size: number; readonly inode: number };

type WatchedFile = {
  value?: string;
  stamp?: Stamp;
  checkedMs: number;
  unreadable: boolean;
  checking?: Promise<string>;
};

/** One resolver for all servers: a file that several share is read once. */
export function createSecretResolver(options: SecretResolverOptions): SecretResolver {
  const files = new Map<string, WatchedFile>();
  return {
    async resolve(source) {
      if (source.kind === 'literal') return source.value;
      if (source.kind === 'env') return source.prefix + readVariable(source.name, options.env);
      const file = files.get(source.path) ?? { checkedMs: -Infinity, unreadable: false };
      files.set(source.path, file);
      return source.prefix + (await readWatched(source, file, options));
    },
  };
}

function readVariable(name: string, env: SecretResolverOptions['env']): string {
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  throw new UnresolvedReferenceError(
    `env:${name} is ${value === '' ? 'empty' : 'not set'}. Set ${name} in the environment the gateway is started in.`,
  );
}

type FileSource = Extract<SecretSource, { kind: 'file' }>;

function readWatched(source: FileSource, file: WatchedFile, options: SecretResolverOptions): Promise<string> {
  const fresh = options.clockMs() - file.checkedMs < (options.checkMs ?? 1000);
  if (fresh && file.value !== undefined) return Promise.resolve(file.value);
  // Whoever asks meanwhile shares the same look at the file.
  file.checking ??= check(source, file, options).finally(() => {
    delete file.checking;
  });
  return file.checking;
}

async function check(source: FileSource, file: WatchedFile, options: SecretResolverOptions): Promise<string> {
  try {
    const stamp = await stampOf(source);
    if (file.value === undefined || file.unreadable || !isSame(stamp, file.stamp)) {
      file.value = await readSecret(source, options.maxBytes ?? 65_536);
      file.stamp = stamp;
    }
    file.unreadable = false;
    file.checkedMs = options.clockMs();
    return file.value;
  } catch (error) {
    const problem = asUnresolved(source, error);
    if (file.value === undefined) throw problem;
    // Once per outage: a file that is being replaced is away for an instant, and the last value is still good.
    if (!file.unreadable) {
      options.logger.warn({ reference: nameOf(source) }, `${problem.message} The last value stays in use.`);
    }
    file.unreadable = true;
    file.checkedMs = options.clockMs();
    return file.value;
  }
}

async function stampOf(source: FileSource): Promise<Stamp> {
  const stats = await stat(source.path);
  // To open a pipe waits until somebody writes into it, on a thread that the audit file is written with.
  if (stats.isFIFO()) throw new UnresolvedReferenceError(`${nameOf(source)} is a pipe. Write the secret into a file.`);
  const { mtimeMs, size, ino } = stats;
  return { mtimeMs, size, inode: ino };
}

const isSame = (left: Stamp, right: Stamp | undefined): boolean =>
  left.mtimeMs === right?.mtimeMs && left.size === right.size && left.inode === right.inode;

/** One newline at the end is an editor's, not the secret's. */
async function readSecret(source: FileSource, maxBytes: number): Promise<string> {
  const file = await open(source.path, 'r');
  try {
    const bytes = Buffer.alloc(maxBytes + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > maxBytes) {
      throw new UnresolvedReferenceError(`${nameOf(source)} holds more than ${maxBytes} bytes: it is not a secret.`);
    }
    const value = bytes.toString('utf8', 0, bytesRead).replace(/\r?\n$/, '');
    bytes.fill(0);
    if (value === '') throw new UnresolvedReferenceError(`${nameOf(source)} is empty. Write the secret into it.`);
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

function asUnresolved(source: FileSource, error: unknown): UnresolvedReferenceError {
  if (error instanceof UnresolvedReferenceError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const reason = REASONS[code] ?? `cannot be read (${code})`;
  return new UnresolvedReferenceError(`${nameOf(source)} ${reason}.`, { cause: error });
}
