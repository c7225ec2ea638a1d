/**
 * Follows the record from where a sink was: the file that is written to and, before it, those that were rotated away. Each
 * record once and in order, as soon as it is on stable storage; what is not there any more is counted and told, never passed
 * over in silence. It holds one piece of a file and one batch in memory, whatever it has to catch up on.
 */

import { setImmediate as yieldNow, setTimeout as pause } from 'node:timers/promises';

import { segmentsOf } from '../segments.ts';
import { firstSequence, FollowedFile, type FromWhere, type PlacedLine } from './followed-file.ts';
import { lineFacts, type Batch, type FollowedRecord } from './followed-record.ts';
import type { SinkPosition } from './sink-position.ts';
import type { SyncedMark } from './synced-mark.ts';

export type Trouble =
  /** Records are gone from the files: deleted, or cut out. `after` is the number of the last one before. */
  | { readonly kind: 'gap'; readonly after: number; readonly missed: number }
  /** What stands at the position is not the record that was delivered: the files were replaced. Begun again at the oldest. */
  | { readonly kind: 'fork'; readonly at: SinkPosition }
  /** A line that is no record, or bytes without an end. They stay where they are. */
  | { readonly kind: 'damage'; readonly file: string; readonly bytes: number };

export type FollowerOptions = {
  /** The audit file. */
  readonly path: string;
  readonly mark: SyncedMark;
  /** The newest record that was taken; undefined to begin with the oldest there is. */
  readonly position: SinkPosition | undefined;
  readonly onTrouble: (trouble: Trouble) => void;
  /** The longest wait between two looks, whatever nobody told us. */
  readonly pollMs?: number;
};

export type BatchLimits = {
  readonly maxRecords: number;
  /** A single larger record is a batch of its own. */
  readonly maxBytes: number;
  /** How long a batch that is not full waits for more. */
  readonly lingerMs: number;
};

const POLL_MS = 1000;

/** A file that holds a record; `named` after its first one, once it was renamed. */
type Place = { readonly path: string; readonly first: number; readonly named: number | undefined };

export class Follower {
  readonly #options: FollowerOptions;
  #file: FollowedFile | undefined;
  /** Of the first record of that file, once it was read. */
  #fileFirst: number | undefined;
  #last: SinkPosition | undefined;
  #missed: number;
  /** By name, the newest file that was read to its end: one without a single record is not read again and again. */
  #passed = 0;
  /** The position was checked against the files. */
  #placed = false;
  #pending: FollowedRecord[] = [];

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#last = options.position;
    this.#missed = options.position?.missed ?? 0;
  }

  /** The next records; waits until there is one. Rejects with the signal's reason, or the file system's error. */
  async next({ maxRecords, maxBytes, lingerMs }: BatchLimits, signal: AbortSignal): Promise<Batch> {
    const records: FollowedRecord[] = [];
    let bytes = 0;
    let lingered = false;
    for (;;) {
      signal.throwIfAborted();
      let taken = 0;
      for (const record of this.#pending) {
        const size = record.line.length + 1;
        if (records.length > 0 && (records.length >= maxRecords || bytes + size > maxBytes)) break;
        records.push(record);
        bytes += size;
        taken += 1;
      }
      this.#pending.splice(0, taken);
      if (this.#pending.length > 0) return { records, bytes };
      if (await this.#read()) continue;
      if (records.length > 0 && lingered) return { records, bytes };
      if (records.length === 0) await this.#options.mark.changed(this.#options.pollMs ?? POLL_MS, signal);
      else {
        lingered = true;
        await pause(lingerMs, undefined, { signal });
      }
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** Reads the next piece; false when there is nothing more for now. */
  async #read(): Promise<boolean> {
    if (!this.#placed) {
      await this.#place();
      this.#placed = true;
    }
    this.#file ??= await this.#openNext();
    const file = this.#file;
    if (file === undefined) return false;
    const { lines, more, end, torn } = await file.next();
    if (torn > 0) this.#options.onTrouble({ kind: 'damage', file: file.path, bytes: torn });
    for (const line of lines) if (!(await this.#take(file, line))) return true;
    if (end) {
      this.#passed = Math.max(this.#passed, file.named ?? 0);
      await this.#leave();
    }
    // A piece that was in the cache came without a turn of the event loop in between.
    if (lines.length > 0) await yieldNow();
    return end || more;
  }

  /** False when this is not the file that comes next after all: it was left. */
  async #take(file: FollowedFile, { line, at }: PlacedLine): Promise<boolean> {
    const facts = lineFacts(line);
    if (facts === undefined) {
      this.#options.onTrouble({ kind: 'damage', file: file.path, bytes: line.length });
      return true;
    }
    const last = this.#last;
    // Of a file that is read from its middle on, what was delivered before is passed over.
    if (last !== undefined && facts.sequence <= last.sequence) return true;
    const missed = last === undefined ? 0 : facts.sequence - last.sequence - 1;
    if (missed > 0) {
      // Another rotation may have come between the look at the folder and the opening.
      if (await this.#hasEarlier(facts.sequence)) {
        await this.#leave();
        return false;
      }
      this.#missed += missed;
      this.#options.onTrouble({ kind: 'gap', after: last?.sequence ?? 0, missed });
    }
    this.#fileFirst ??= facts.sequence;
    const { sequence, uid, timeMs } = facts;
    const position = { sequence, uid, file: this.#fileFirst, at, missed: this.#missed };
    this.#last = position;
    this.#pending.push({ line, timeMs, position });
    return true;
  }

  async #leave(): Promise<void> {
    await this.close();
    this.#fileFirst = undefined;
  }

  async #hasEarlier(sequence: number): Promise<boolean> {
    const after = this.#behind();
    const segments = await segmentsOf(this.#options.path);
    return segments.some(({ first }) => first !== undefined && first > after && first < sequence);
  }

  /** The file behind the newest record that was read: the oldest that begins after it. */
  async #openNext(): Promise<FollowedFile | undefined> {
    const { path, mark } = this.#options;
    const after = this.#behind();
    const segments = await segmentsOf(path);
    const next = segments.find(({ first }) => first === undefined || first > after);
    if (next === undefined) return undefined;
    return openThere(next.path, { named: next.first, at: 0 }, mark);
  }

  #behind(): number {
    return Math.max(this.#last?.sequence ?? 0, this.#passed);
  }

  /** Opens the file that holds the position, right behind it. */
  async #place(): Promise<void> {
    const position = this.#last;
    if (position === undefined) return;
    const found = await this.#fileOf(position);
    // Older than everything there is: the first record that is read tells how many are missing.
    if (found === undefined) return;
    const hinted = found.first === position.file;
    if (hinted && (await this.#isAt(position, found, position.at))) return;
    if (await this.#isAt(position, found, 0)) return;
    this.#options.onTrouble({ kind: 'fork', at: position });
    this.#last = undefined;
  }

  async #fileOf({ sequence }: SinkPosition): Promise<Place | undefined> {
    const { path } = this.#options;
    const segments = await segmentsOf(path);
    const newest = await firstSequence(path);
    const known = segments.flatMap((segment) => {
      const first = segment.first ?? newest;
      return first === undefined ? [] : [{ path: segment.path, first, named: segment.first }];
    });
    return known.findLast(({ first }) => first <= sequence);
  }

  /** Reads from there as far as the record of that number; is it the same? Then what follows it is read next. */
  async #isAt(position: SinkPosition, where: Place, at: number): Promise<boolean> {
    const file = await openThere(where.path, { named: where.named, at }, this.#options.mark);
    if (file === undefined) return false;
    this.#file = file;
    this.#fileFirst = where.first;
    for (;;) {
      const { lines, more } = await file.next();
      const placed = lines.map(({ line, at: of }) => ({ line, at: of, facts: lineFacts(line) }));
      const index = placed.findIndex(({ facts }) => (facts?.sequence ?? 0) >= position.sequence);
      const facts = placed[index]?.facts;
      if (facts?.sequence === position.sequence && facts.uid === position.uid) {
        for (const line of placed.slice(index + 1)) if (!(await this.#take(file, line))) break;
        return true;
      }
      if (index !== -1 || !more) break;
      await yieldNow();
    }
    await this.#leave();
    return false;
  }
}

/** Undefined when it was deleted meanwhile, or a rotation is between two files: it is looked for again. */
async function openThere(path: string, where: FromWhere, mark: SyncedMark): Promise<FollowedFile | undefined> {
  try {
    return await FollowedFile.open(path, where, mark);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
