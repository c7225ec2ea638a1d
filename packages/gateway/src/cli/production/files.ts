/** What the checklist looks at on disk: places and their modes, the disk of the record, and copies in a backup. */

import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { AuditFacts, BackupFacts, Copy, Place } from './facts.ts';

export const policyFile = ({ directory }: Config, name: string): string => path.resolve(directory, name);

export async function placeOf(file: string): Promise<Place> {
  try {
    const { mode } = await stat(file);
    await access(file, constants.R_OK);
    return { path: file, state: 'there', mode: bitsOf(mode) };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return { path: file, state: 'missing' };
    return { path: file, state: 'unreadable', reason: `it cannot be read (${code})` };
  }
}

/** Windows has no such bits. */
const bitsOf = (mode: number): number | undefined => (process.platform === 'win32' ? undefined : mode & 0o777);

export async function modeOf(file: string): Promise<number | undefined> {
  const place = await placeOf(file);
  return place.state === 'there' ? place.mode : undefined;
}

/** Of file systems on Linux (`statfs(2)`). */
const MEDIA: ReadonlyMap<number, AuditFacts['medium']> = new Map<number, AuditFacts['medium']>([
  [0x01_02_19_94, 'memory'], // tmpfs
  [0x85_84_58_f6, 'memory'], // ramfs
  [0x79_4c_76_30, 'container'], // overlayfs
  [0x61_75_66_73, 'container'], // aufs
  [0x69_69, 'network'], // NFS
  [0xff_53_4d_42, 'network'], // CIFS
  [0xfe_53_4d_42, 'network'], // SMB 2
  [0x65_73_55_46, 'unknown'], // FUSE: anything at all
]);

export async function auditFacts(file: string): Promise<AuditFacts> {
  const place = await placeOf(file);
  const folder = await nearestFolder(path.dirname(file));
  const target = place.state === 'missing' ? folder : file;
  const writable = await access(target, constants.W_OK).then(
    () => true,
    () => false,
  );
  try {
    const { type, bavail, bsize } = await statfs(folder);
    const medium = process.platform === 'linux' ? (MEDIA.get(type >>> 0) ?? 'disk') : 'unknown';
    return { file: place, folder, writable, freeBytes: bavail * bsize, medium };
  } catch {
    return { file: place, folder, writable, freeBytes: undefined, medium: 'unknown' };
  }
}

/** The gateway makes the folders that are missing. */
async function nearestFolder(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch {
    const parent = path.dirname(folder);
    return parent === folder ? folder : nearestFolder(parent);
  }
}

export async function backupFacts({ config, file }: LoadedConfig, folder: string | undefined): Promise<BackupFacts> {
  if (folder === undefined) return { state: 'not-asked' };
  const there = await placeOf(folder);
  if (there.state !== 'there') {
    return { state: 'missing', folder, reason: there.state === 'missing' ? 'it does not exist' : there.reason };
  }
  const whole = [file, ...config.policies.map(({ name }) => policyFile(config, name)), config.keys.file];
  // They change all the time: the age of the copy is what can be said.
  const growing = [config.audit.file, ...(config.storage.kind === 'sqlite' ? [config.storage.file] : [])];
  const copies: Copy[] = [];
  for (const of of whole) copies.push(await compare(of, await findCopy(of, config, folder)));
  for (const of of growing) copies.push(await aged(of, await findCopy(of, config, folder)));
  return { state: 'there', folder, copies };
}

/** Under its path from the configuration, or its name alone. */
async function findCopy(of: string, { directory }: Config, folder: string): Promise<string | undefined> {
  for (const name of [path.relative(directory, of), path.basename(of)]) {
    const copy = path.resolve(folder, name);
    // A path that leads out of the backup (`../keys.json`) may lead to the file itself.
    if (path.relative(folder, copy).startsWith('..')) continue;
    if ((await placeOf(copy)).state === 'there') return copy;
  }
  return undefined;
}

const MAX_COMPARED_BYTES = 2 * 1024 * 1024;

async function compare(of: string, copy: string | undefined): Promise<Copy> {
  if (copy === undefined) return { of, state: 'missing' };
  const [one, other] = [await digestOf(of), await digestOf(copy)];
  return { of, state: one !== undefined && one === other ? 'same' : 'differs' };
}

async function digestOf(file: string): Promise<string | undefined> {
  try {
    const { size } = await stat(file);
    return size > MAX_COMPARED_BYTES ? undefined : hash('sha256', await readFile(file));
  } catch {
    return undefined;
  }
}

async function aged(of: string, copy: string | undefined): Promise<Copy> {
  if (copy === undefined) return { of, state: 'missing' };
  const { mtimeMs } = await stat(copy);
  return { of, state: 'aged', ageMs: Date.now() - mtimeMs };
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown');
