/**
 * One writer per record: a lock file beside it, made with O_EXCL. A lock whose process is gone is taken over; which
 * process that was is known by its id and its start time, because ids are used again (in a container, always the same).
 */

import { randomUUID } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

import { isJsonObject } from '../model/json.ts';

type Holder = { readonly id: string; readonly pid: number; readonly host: string; readonly started?: string };

export interface FileLock {
  /** Removes the lock if it is still ours. Idempotent. */
  release(): Promise<void>;
}

/** Another gateway writes to this file. The message says which, and what to do. */
export class LockedError extends Error {
  constructor(path: string, holder: Holder) {
    const where = holder.host === hostname() ? '' : ` on host ${holder.host}`;
    super(
      `The audit file ${path} is in use by process ${holder.pid}${where}. Two gateways never write to one file: ` +
        `stop the other one, or set another audit.file. If that process is gone for certain, delete ${lockPath(path)}.`,
    );
    this.name = 'LockedError';
  }
}

const lockPath = (path: string): string => `${path}.lock`;

/** While another starting gateway takes a stale lock over, the question is asked again: this often, and this far apart. */
const ATTEMPTS = 100;
const PAUSE_MS = 10;

/** A takeover that was itself abandoned is taken over in the same way, and so on: each level is one more crash in a row. */
const MAX_TAKEOVER_DEPTH = 3;

/** @throws LockedError, or the file system's error */
export async function lockFile(path: string): Promise<FileLock> {
  const started = await startOf(process.pid);
  const ours: Holder = { id: randomUUID(), pid: process.pid, host: hostname(), ...(started && { started }) };
  for (let attempt = 1; ; attempt++) {
    if (await create(lockPath(path), ours)) return { release: () => releaseLock(lockPath(path), ours.id) };
    const holder = await readHolder(lockPath(path));
    if (holder === undefined) continue;
    if (attempt >= ATTEMPTS || (await isAlive(holder))) throw new LockedError(path, holder);
    if (!(await takeOver(lockPath(path), holder, ours))) await pause(PAUSE_MS);
  }
}

async function create(path: string, holder: Holder): Promise<boolean> {
  // Written whole under another name first: nobody ever reads half a lock. `link` refuses a name that is taken.
  const draft = `${path}.${holder.id}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(holder));
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  return parseHolder(text) ?? { id: '', pid: 0, host: hostname() };
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isJsonObject(value)) return undefined;
    const { id, pid, host, started } = value;
    if (typeof id !== 'string' || typeof pid !== 'number' || typeof host !== 'string') return undefined;
    return { id, pid, host, ...(typeof started === 'string' && { started }) };
  } catch {
    return undefined;
  }
}

/** A process of another host cannot be asked: it counts as alive. */
async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) return true;
  if (holder.pid <= 0) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
  const started = await startOf(holder.pid);
  return started === undefined || holder.started === undefined || started === holder.started;
}

/**
 * Removes a stale lock. Only who holds the token of that very lock may, and looks again once it does: between the look and
 * the removal nobody else can have put another lock there, because the stale one still stands in its place. True when the
 * lock is gone, false when somebody else is at it.
 */
async function takeOver(path: string, stale: Holder, ours: Holder, depth = 1): Promise<boolean> {
  const token = `${path}.over-${stale.id}`;
  if (!(await create(token, ours))) {
    const other = await readHolder(token);
    if (other !== undefined && depth < MAX_TAKEOVER_DEPTH && !(await isAlive(other))) {
      await takeOver(token, other, ours, depth + 1);
    }
    return false;
  }
  try {
    const now = await readHolder(path);
    if (now?.id === stale.id) await unlink(path);
    return true;
  } finally {
    await unlink(token);
  }
}

async function releaseLock(path: string, id: string): Promise<void> {
  const holder = await readHolder(path);
  if (holder?.id !== id) return;
  await unlink(path);
}

/** Field 22 of `/proc/<pid>/stat`, with the boot it counts from. Undefined where there is no /proc. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    // The command name, in parentheses, may hold spaces: count from its end.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined ? undefined : `${boot.trim()}/${ticks}`;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
