/**
 * The key ring: the secrets behind everything sealed, in one file that only its owner may read. New values are sealed
 * under `current`; the other keys still open what was sealed before a rotation.
 */

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { isJsonObject } from '../model/json.ts';
import { Secret } from '../model/secret.ts';

export type SealingKey = {
  readonly id: string;
  /** 32 random bytes or more, base64url. */
  readonly secret: Secret;
};

export type KeyRing = { readonly current: string; readonly keys: readonly SealingKey[] };

export type KeyRingOptions = {
  readonly file: string;
  readonly randomBytes: (bytes: number) => Uint8Array;
};

/** The key ring cannot be used. The message names the file and says how to mend it. */
export class KeyRingError extends Error {
  readonly file: string;

  constructor(file: string, problem: string, cause?: unknown) {
    super(`Key ring ${file}: ${problem}`, { cause });
    this.name = 'KeyRingError';
    this.file = file;
  }
}

const SECRET_BYTES = 32;
export const MAX_KEYS = 16;
const MAX_FILE_BYTES = 64 * 1024;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const READABLE_BY_OTHERS = 0o077;

/**
 * The key ring of `file`, which is created with one new key when there is none. The folder must exist.
 *
 * @throws KeyRingError when the file cannot be read or created, is open to other users, or is not a key ring.
 */
export async function loadKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  return (await createFile(options)) ?? (await readFile(options.file));
}

/** A ring of one new key, in memory only. What it sealed cannot be opened after a restart. */
export function newKeyRing(randomBytes: (bytes: number) => Uint8Array): KeyRing {
  const id = Buffer.from(randomBytes(6)).toString('base64url');
  const secret = new Secret(Buffer.from(randomBytes(SECRET_BYTES)).toString('base64url'));
  return { current: id, keys: [{ id, secret }] };
}

/** Undefined when the file is there already: exclusive creation lets one of two racing processes win. */
async function createFile({ file, randomBytes }: KeyRingOptions): Promise<KeyRing | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'wx', 0o600);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw new KeyRingError(file, 'it cannot be created. Check that the folder exists and is writable.', error);
  }
  try {
    const ring = newKeyRing(randomBytes);
    const keys = ring.keys.map(({ id, secret }) => ({ id, secret: secret.expose() }));
    await handle.writeFile(`${JSON.stringify({ current: ring.current, keys }, null, 2)}\n`);
    await handle.sync();
    return ring;
  } finally {
    await handle.close();
  }
}

async function readFile(file: string): Promise<KeyRing> {
  let handle: FileHandle;
  try {
    // A pipe would hold the start until somebody writes into it.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw new KeyRingError(file, 'it cannot be read. Give the user that runs the gateway read access.', error);
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new KeyRingError(file, 'it is not a regular file.');
    const { mode, size } = stats;
    // Windows has no such bits: there the folder's access list is the protection.
    if (process.platform !== 'win32' && (mode & READABLE_BY_OTHERS) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw new KeyRingError(file, `other users may open it (mode ${found}). Type: chmod 600 ${file}`);
    }
    if (size > MAX_FILE_BYTES) throw new KeyRingError(file, `it is larger than ${MAX_FILE_BYTES} bytes.`);
    return parseKeyRing(file, await handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
}

function parseKeyRing(file: string, text: string): KeyRing {
  const { current, keys } = parseObject(file, text);
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS) {
    throw new KeyRingError(file, `"keys" must be a list of 1 to ${MAX_KEYS} keys.`);
  }
  const parsed = keys.map((key: unknown, index) => parseKey(file, key, index));
  const ids = new Set(parsed.map(({ id }) => id));
  if (ids.size !== parsed.length) throw new KeyRingError(file, 'two keys have the same id. Give each its own.');
  if (typeof current !== 'string' || !ids.has(current)) {
    throw new KeyRingError(file, '"current" must be the id of one of the keys.');
  }
  return { current, keys: parsed };
}

/** The parser's own message would quote the file, so it is not passed on as a cause either. */
function parseObject(file: string, text: string): { readonly current?: unknown; readonly keys?: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isJsonObject(value)) return value;
  throw new KeyRingError(
    file,
    'it is not a JSON object. Restore it from a backup, or delete it to start with a new key (every session ends).',
  );
}

function parseKey(file: string, key: unknown, index: number): SealingKey {
  const { id, secret } = isJsonObject(key) ? key : {};
  if (typeof id !== 'string' || !KEY_ID.test(id)) {
    throw new KeyRingError(file, `keys[${index}].id must be 1 to 32 letters, digits, "-" or "_".`);
  }
  const usable = typeof secret === 'string' && BASE64URL.test(secret);
  if (!usable || Buffer.from(secret, 'base64url').length < SECRET_BYTES) {
    throw new KeyRingError(file, `keys[${index}].secret must be at least ${SECRET_BYTES} random bytes in base64url.`);
  }
  return { id, secret: new Secret(secret) };
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
