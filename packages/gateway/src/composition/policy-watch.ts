/**
 * Notices that the files of the policies changed. The kernel says so at once on a local disk; once a second everything is
 * looked at as well, because `fs.watch` sees neither what a symbolic link now leads to (Kubernetes swaps a ConfigMap that
 * way), nor a folder that replaced the one it watched, nor what another machine wrote to a network mount.
 */

import { watch, type FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { isPolicyFile } from '../config/policy-sources.ts';

export type WatchedFiles = {
  /** The configuration file, absolute. */
  readonly file: string;
  /** Policy files and folders of them, absolute. */
  readonly places: readonly string[];
};

/** More files of one folder are not looked at: the configuration refuses such a folder. */
const MAX_FILES = 1001;
const MAX_WATCHERS = 64;

/**
 * Tells every state of the files from every other: which there are, and of each what it is (a rename brings another inode),
 * how long and how old. Never rejects. One file after the other, because a mount that does not answer holds a thread of the
 * pool that the audit file is written with: it may hold one, not all.
 */
export async function printOf({ file, places }: WatchedFiles): Promise<string> {
  const parts = [await stateOf(file)];
  for (const place of places) {
    parts.push(place, await stateOf(place));
    for (const name of await policyFilesIn(place)) parts.push(name, await stateOf(path.join(place, name)));
  }
  return parts.join('\n');
}

async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}

async function policyFilesIn(place: string): Promise<readonly string[]> {
  try {
    return (await readdir(place)).filter(isPolicyFile).toSorted().slice(0, MAX_FILES);
  } catch {
    return [];
  }
}

/** Why the look at the files does not end: shown, while the set in force goes on deciding. */
export type Delay = 'no-answer' | 'still-changing';

export type PolicyWatchOptions = {
  readonly watched: () => WatchedFiles;
  /** Reads the files now; what it returns is put in force only if they did not change meanwhile. */
  readonly read: () => () => void;
  readonly delayed: (why: Delay) => void;
  /** Default: `printOf`. */
  readonly print?: (watched: WatchedFiles) => Promise<string>;
  readonly timing?: Partial<PolicyWatchTiming>;
};

export type PolicyWatchTiming = {
  readonly pollMs: number;
  /** Files are read once they have been left alone for so long: whoever saves several, or one in pieces, is not done. */
  readonly settleMs: number;
  /** From then on a look that does not end, or files that do not settle, are said to be so. */
  readonly patienceMs: number;
};

const DEFAULT_TIMING: PolicyWatchTiming = { pollMs: 1000, settleMs: 250, patienceMs: 5000 };

export interface PolicyWatch {
  /** Reads the files as soon as they are left alone, changed or not. Resolves when that is done, or the watch is closed. */
  reload(): Promise<void>;
  close(): void;
}

export function watchPolicies(options: PolicyWatchOptions): PolicyWatch {
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const print = options.print ?? printOf;
  const closed = new AbortController();
  const bell = createBell(closed.signal);
  const events = watchers(() => bell.ring());
  const waiting = new Set<() => void>();
  /** Unknown at first, so that what changed since the start read the files is not missed. */
  let known: string | undefined;

  const delayed = (why: Delay): void => {
    // Whatever is found afterwards is read again, so that what was said here is taken back.
    known = undefined;
    options.delayed(why);
  };

  /** @throws when the watch is closed. A look that hangs is not followed by another: it would hold one more thread. */
  async function look(): Promise<string> {
    const timer = setTimeout(() => delayed('no-answer'), timing.patienceMs);
    timer.unref();
    try {
      return await print(options.watched());
    } finally {
      clearTimeout(timer);
      closed.signal.throwIfAborted();
    }
  }

  async function readSettled(): Promise<void> {
    const startedMs = performance.now();
    let told = false;
    for (let before = await look(); ;) {
      await pause(timing.settleMs, undefined, { signal: closed.signal, ref: false });
      const after = await look();
      if (after === before) {
        const putInForce = options.read();
        if ((await look()) === before) {
          known = before;
          putInForce();
          // A folder may have been replaced by another of its name.
          events.close();
          return;
        }
      }
      before = after;
      if (!told && performance.now() - startedMs > timing.patienceMs) {
        told = true;
        delayed('still-changing');
      }
    }
  }

  async function follow(): Promise<void> {
    while (!closed.signal.aborted) {
      events.follow(options.watched());
      await bell.rungWithin(timing.pollMs);
      const asked = [...waiting];
      if (asked.length > 0 || (await look()) !== known) await readSettled();
      for (const done of asked) {
        waiting.delete(done);
        done();
      }
    }
  }

  follow().catch((error: unknown) => {
    if (!closed.signal.aborted) throw error;
  });
  return {
    reload() {
      if (closed.signal.aborted) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.add(resolve);
      bell.ring();
      return promise;
    },
    close() {
      closed.abort();
      events.close();
      for (const done of waiting) done();
    },
  };
}

type Bell = { ring(): void; rungWithin(ms: number): Promise<void> };

/** Rung while nobody waits, it is heard by the next who does. */
function createBell(closed: AbortSignal): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    rung = true;
    wake?.();
  };
  closed.addEventListener('abort', ring, { once: true });
  return {
    ring,
    async rungWithin(ms) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          timer.unref();
          wake = (): void => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      rung = false;
      wake = undefined;
    },
  };
}

/** The kernel's word, where it gives one. Nothing depends on it: a watcher that fails is left out. */
function watchers(changed: () => void): { follow(watched: WatchedFiles): void; close(): void } {
  const open = new Map<string, FSWatcher>();
  let names = new Set<string>();
  // Other files of the folder are written all the time: the audit file, for one.
  const concerns = (name: string | null): boolean =>
    name === null || isPolicyFile(name) || names.has(name) || name.startsWith('..');
  const drop = (folder: string): void => {
    open.get(folder)?.close();
    open.delete(folder);
  };
  return {
    follow({ file, places }) {
      names = new Set([file, ...places].map((place) => path.basename(place)));
      const folders = [...new Set([file, ...places].flatMap((place) => [path.dirname(place), place]))];
      const wanted = folders.filter((folder) => folder !== file).slice(0, MAX_WATCHERS);
      for (const folder of open.keys()) if (!wanted.includes(folder)) drop(folder);
      for (const folder of wanted) {
        if (open.has(folder)) continue;
        try {
          const watcher = watch(folder, { persistent: false }, (_, name) => {
            if (concerns(name)) changed();
          });
          watcher.on('error', () => drop(folder));
          open.set(folder, watcher);
        } catch {
          // Not there, or no watches left: looked at once a second all the same.
        }
      }
    },
    close() {
      for (const folder of open.keys()) drop(folder);
    },
  };
}
