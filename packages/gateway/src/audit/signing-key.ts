/**
 * The Ed25519 key that checkpoints are signed with: a file that only its owner may read, beside the key ring, and its public
 * half in a file for everybody, to be kept by whoever is to prove the record later.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, randomUUID, type KeyObject } from 'node:crypto';
import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import path, { dirname, parse } from 'node:path';

import { syncFolder } from './append-file.ts';
import { hasCode } from './error-code.ts';

export type SigningKey = {
  /** Derived from the public half: which key a checkpoint was signed with. */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
};

export type VerifyingKey = Pick<SigningKey, 'id' | 'publicKey'>;

/** The key cannot be used. The message names the file and says how to mend it. */
export class SigningKeyError extends Error {
  constructor(file: string, problem: string, cause?: unknown) {
    super(`Audit signing key ${file}: ${problem}`, { cause });
    this.name = 'SigningKeyError';
  }
}

const READABLE_BY_OTHERS = 0o077;
const MAX_FILE_BYTES = 16 * 1024;

/** Where the public half of the key in `file` stands: `audit-signing-key.pub.pem`. */
export function publicKeyPath(file: string): string {
  const { dir, name, ext } = parse(file);
  return path.join(dir, `${name}.pub${ext}`);
}

/**
 * The key of `file`, which is created when there is none, together with its public half.
 *
 * @throws SigningKeyError
 */
export async function loadSigningKey(file: string): Promise<SigningKey> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  if (!(await exists(file))) await put(file, { text: newKey(), mode: 0o600, keep: true });
  const key = await readSigningKey(file);
  const text = key.publicKey.export({ type: 'spki', format: 'pem' });
  const publicFile = publicKeyPath(file);
  const kept = await readFile(publicFile, 'utf8').catch(() => undefined);
  if (kept !== text) await put(publicFile, { text, mode: 0o644, keep: false });
  return key;
}

/** Of PEM text. The reason is a sentence without its subject. @throws Error */
export function verifyingKey(pem: string): VerifyingKey {
  const publicKey = createPublicKey(pem);
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new Error('is no Ed25519 key');
  return { id: keyId(publicKey), publicKey };
}

const keyId = (publicKey: KeyObject): string =>
  hash('sha256', publicKey.export({ type: 'spki', format: 'der' })).slice(0, 16);

const newKey = (): string => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });

async function exists(file: string): Promise<boolean> {
  try {
    await (await open(file, 'r')).close();
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw new SigningKeyError(file, 'it cannot be read. Give the user that runs the gateway read access.', error);
  }
}

/** Whole under another name first: nobody ever reads half a key. `keep` leaves a file that is there already. */
async function put(file: string, { text, mode, keep }: { text: string; mode: number; keep: boolean }): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    const handle = await open(draft, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (keep) await linkOnce(draft, file);
    else await rename(draft, file);
    await syncFolder(dirname(file));
  } catch (error) {
    // Another gateway was first; its key is the key.
    if (keep && hasCode(error, 'EEXIST')) return;
    throw new SigningKeyError(file, 'it cannot be created. Check that the folder exists and is writable.', error);
  }
}

/** @throws EEXIST when another was first */
async function linkOnce(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file);
  } finally {
    await unlink(draft);
  }
}

async function readSigningKey(file: string): Promise<SigningKey> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw new SigningKeyError(file, 'it cannot be read. Give the user that runs the gateway read access.', error);
  });
  try {
    const { mode, size } = await handle.stat();
    // Windows has no such bits: there the folder's access list is the protection.
    if (process.platform !== 'win32' && (mode & READABLE_BY_OTHERS) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw new SigningKeyError(file, `other users may open it (mode ${found}). Type: chmod 600 ${file}`);
    }
    if (size > MAX_FILE_BYTES) throw new SigningKeyError(file, `it is larger than ${MAX_FILE_BYTES} bytes.`);
    return parseKey(file, await handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
}

/** The parser's own message is not passed on: it may speak of what stands in the file. */
function parseKey(file: string, pem: string): SigningKey {
  let privateKey: KeyObject | undefined;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    privateKey = undefined;
  }
  if (privateKey?.asymmetricKeyType === 'ed25519') {
    const publicKey = createPublicKey(privateKey);
    return { id: keyId(publicKey), privateKey, publicKey };
  }
  throw new SigningKeyError(
    file,
    'it holds no Ed25519 private key. Restore it from a backup, or move it away: a new one is made at the next start, and ' +
      'older checkpoints are then proved with the older public key.',
  );
}
