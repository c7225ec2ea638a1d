/** A new key for a key ring in a file: written whole beside it and put in its place, so that no reader meets half of one. */

import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { KeyRingError, loadKeyRing, MAX_KEYS, newKeyRing, type KeyRing, type KeyRingOptions } from './key-ring.ts';

export type KeyRingChange =
  /** A new key, in use from now on. */
  | { readonly kind: 'rotate' }
  /** A new key that nothing is sealed under yet: for rings that have to be copied to other machines first. */
  | { readonly kind: 'prepare' }
  /** One that is there already, in use from now on. */
  | { readonly kind: 'use'; readonly id: string };

/** The ring as it is now. A file that is not there is made, with one key. @throws KeyRingError */
export async function changeKeyRing(options: KeyRingOptions, change: KeyRingChange): Promise<KeyRing> {
  const ring = await loadKeyRing(options);
  const changed = changedRing(options, ring, change);
  await replaceFile(options.file, changed);
  // Read back: what does not load must not be found out by the next gateway that starts.
  return loadKeyRing(options);
}

function changedRing({ file, randomBytes }: KeyRingOptions, ring: KeyRing, change: KeyRingChange): KeyRing {
  if (change.kind === 'use') {
    if (!ring.keys.some(({ id }) => id === change.id)) {
      throw new KeyRingError(
        file,
        `it has no key "${change.id}". Its keys: ${ring.keys.map(({ id }) => id).join(', ')}.`,
      );
    }
    return { ...ring, current: change.id };
  }
  if (ring.keys.length >= MAX_KEYS) {
    throw new KeyRingError(
      file,
      `it has ${MAX_KEYS} keys, as many as it may have. Take out one that nothing is sealed under any more.`,
    );
  }
  const { keys } = newKeyRing(randomBytes);
  return {
    current: change.kind === 'rotate' ? (keys[0]?.id ?? ring.current) : ring.current,
    keys: [...ring.keys, ...keys],
  };
}

async function replaceFile(file: string, { current, keys }: KeyRing): Promise<void> {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}`);
  const written = keys.map(({ id, secret }) => ({ id, secret: secret.expose() }));
  try {
    const handle = await open(beside, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ current, keys: written }, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw new KeyRingError(file, 'it cannot be written. Check that its folder is writable.', error);
  }
}
