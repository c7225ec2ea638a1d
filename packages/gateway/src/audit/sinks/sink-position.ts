/**
 * How far a sink has come in the record, kept in a small file beside it. Saved only after the sink has acknowledged, so that
 * a crash in between means that records are delivered twice, and never that one is missing.
 */

import { open, readFile, rename } from 'node:fs/promises';

import { isJsonObject } from '../../model/json.ts';

/** The newest record that was taken. */
export type SinkPosition = {
  readonly sequence: number;
  /** `metadata.uid`: tells whether the record of that number is still the same. */
  readonly uid: string;
  /** Where it was found, as a hint: the number of the first record of its file, and the byte in it that it begins at. */
  readonly file: number;
  readonly at: number;
  /** Records that were gone before they could be delivered, ever. */
  readonly missed: number;
};

/** Undefined where there is none yet, or what is there is none. @throws the file system's error */
export async function readPosition(path: string): Promise<SinkPosition | undefined> {
  try {
    return parsePosition(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

export function parsePosition(value: unknown): SinkPosition | undefined {
  if (!isJsonObject(value)) return undefined;
  const { sequence, uid, file, at, missed } = value;
  if (!isCount(sequence) || typeof uid !== 'string' || !isCount(file) || !isCount(at) || !isCount(missed))
    return undefined;
  return { sequence, uid, file, at, missed };
}

/** On stable storage when it resolves, and never half of it. @throws the file system's error */
export async function savePosition(path: string, position: SinkPosition): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(position)}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  // The folder is not synced: a name that a power loss takes back only means an older position.
  await rename(draft, path);
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
