/**
 * Follows the file that is written to, for everyone who wants to see what comes: one reader, however many look on, and none
 * while nobody does. A file that was rotated is read to its end before the next one.
 */

import { statSync } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';

import type { Logger } from '../telemetry/logger.ts';
import type { AuditFeed } from './audit-feed.ts';
import { readRange } from './backward-lines.ts';
import { matcherOf, type Found } from './search.ts';
import { toldRecord } from './told-record.ts';
import { MAX_LINE_CHARS } from './verify.ts';

export type FileAuditFeedOptions = {
  readonly path: string;
  readonly logger: Logger;
  /** Runs a task once after so long; the returned function calls it off. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  readonly pollMs?: number;
  readonly maxFollowers?: number;
};

type Follower = { readonly isMatch: (found: Found) => boolean; readonly take: (found: Found) => void };

type Open = { readonly file: FileHandle; readonly inode: number; at: number; rest: string };

/** About fifty records: each is matched for every follower before the event loop has its turn. */
const PIECE_BYTES = 64 * 1024;

export function createFileAuditFeed(options: FileAuditFeedOptions): AuditFeed & { close(): Promise<void> } {
  const { path, logger, after, pollMs = 250, maxFollowers = 32 } = options;
  const followers = new Set<Follower>();
  let current: Open | undefined;
  let running: Promise<void> | undefined;
  let cancel = (): void => undefined;
  let closed = false;
  /** Where the file ended when somebody began to look. */
  let begin: Place = { inode: undefined, size: 0 };
  /** Somebody is the first to look, perhaps while the reader still ends for those before: what lies between is not theirs. */
  let isFirst = false;

  function hand(line: string): void {
    const record = toldRecord(line);
    if (record === undefined || record.event === 'intent') return;
    const found = { record, line };
    for (const { isMatch, take } of followers) if (isMatch(found)) take(found);
  }

  async function readOn(from: Open): Promise<void> {
    for (;;) {
      const bytes = await readRange(from.file, from.at, from.at + PIECE_BYTES);
      if (bytes.length === 0 || followers.size === 0 || isFirst) return;
      from.at += bytes.length;
      const lines = (from.rest + bytes.toString('latin1')).split('\n');
      from.rest = lines.pop() ?? '';
      if (from.rest.length > MAX_LINE_CHARS) from.rest = '';
      for (const line of lines) hand(line);
    }
  }

  /** What came since the last look, in the order of the chain. */
  async function look(): Promise<void> {
    const now = await stat(path).catch(() => undefined);
    if (isFirst) {
      isFirst = false;
      await end();
    }
    if (current !== undefined) await readOn(current);
    if (now === undefined || now.ino === current?.inode) return;
    // The writer has begun another file, and writes no more to this one: what it wrote before that was read just now.
    await current?.file.close();
    current = await openAt(path, begin);
    if (current !== undefined) await readOn(current);
  }

  async function end(): Promise<void> {
    await current?.file.close();
    current = undefined;
  }

  async function lookOnce(): Promise<void> {
    try {
      await look();
    } catch (error) {
      logger.warn({ err: error, file: path }, 'the audit file could not be followed; it is tried again');
    }
    if (followers.size === 0 || closed) await end();
    running = undefined;
    if (followers.size > 0 && !closed) cancel = after(pollMs, poll);
  }

  function poll(): void {
    running = lookOnce();
  }

  return {
    follow(query, take) {
      if (closed || followers.size >= maxFollowers) return undefined;
      const follower = { isMatch: matcherOf(query), take };
      followers.add(follower);
      if (followers.size === 1) {
        begin = placeOf(path);
        isFirst = true;
        cancel();
        if (running === undefined) poll();
      }
      return () => void followers.delete(follower);
    },
    async close() {
      closed = true;
      cancel();
      await running;
      await end();
    },
  };
}

type Place = { readonly inode: number | undefined; readonly size: number };

/** At once, so that nothing is missed that is written while the file is being opened. Takes some 10 us. */
function placeOf(path: string): Place {
  const found = statSync(path, { throwIfNoEntry: false });
  return { inode: found?.ino, size: found?.size ?? 0 };
}

/** From where it ended, the beginning of its last line included; from its beginning when it is another file by now. */
async function openAt(path: string, begin: Place): Promise<Open | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  const { ino: inode } = await file.stat();
  const at = inode === begin.inode ? begin.size : 0;
  const before = await readRange(file, Math.max(0, at - MAX_LINE_CHARS), at);
  const rest = before.subarray(before.lastIndexOf(0x0a) + 1).toString('latin1');
  return { file, inode, at, rest };
}
