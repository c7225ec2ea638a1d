/**
 * Files that are replaced while the gateway runs, looked at again and again: mounted secrets change by a swap of links two
 * folders up, which no notification of the file itself tells.
 */

import { stat } from 'node:fs/promises';

export type WatchedFiles = {
  readonly files: readonly string[];
  /** They are not what they were. What cannot be used is its matter to log; it must not throw. */
  readonly onChange: () => Promise<void>;
};

const INTERVAL_MS = 500;

/** @returns what ends it. */
export function watchFiles(groups: readonly WatchedFiles[]): () => void {
  const seen = new Map<WatchedFiles, string>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const look = async (): Promise<void> => {
    for (const group of groups) {
      // Before they are read: what changes in between is seen the next time.
      const stamp = (await Promise.all(group.files.map(stampOf))).join();
      const before = seen.get(group);
      seen.set(group, stamp);
      if (before !== stamp && !closed) await group.onChange();
    }
    if (closed) return;
    timer = setTimeout(() => void look(), INTERVAL_MS);
    timer.unref();
  };

  if (groups.length > 0) void look();
  return () => {
    closed = true;
    clearTimeout(timer);
  };
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs}/${size}/${ino}`;
  } catch {
    return 'away';
  }
}
