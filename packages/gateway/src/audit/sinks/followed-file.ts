/** One file of the record, read forward line by line in small pieces, as far as it is on stable storage. */

import { open, stat, type FileHandle } from 'node:fs/promises';

import { MAX_LINE_CHARS } from '../verify.ts';
import { lineFacts } from './followed-record.ts';
import { identify, type SyncedMark } from './synced-mark.ts';

/** Taken apart in a fraction of a millisecond. */
const PIECE_BYTES = 64 * 1024;
/** Of a file, to find its first line in: a record may be this long. */
const FIRST_LINE_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

export type PlacedLine = { readonly line: string; readonly at: number };

/** From that byte on; a file with a number in its name is not written to any more. */
export type FromWhere = { readonly named: number | undefined; readonly at: number };

export type ReadPiece = {
  /** Whole ones. */
  readonly lines: readonly PlacedLine[];
  /** There may be more behind them. */
  readonly more: boolean;
  /** There will be no more in this file. */
  readonly end: boolean;
  /** Bytes that no newline closes, or too many for a line: they are passed over. */
  readonly torn: number;
};

export class FollowedFile {
  readonly path: string;
  /** The number in its name; undefined when it was opened as the one that is written to. */
  readonly named: number | undefined;
  readonly #handle: FileHandle;
  readonly #id: string;
  readonly #mark: SyncedMark;
  /** It is not written to any more. */
  #ended: boolean;
  /** Of the first byte that was not taken apart yet, and those before it that were read already. */
  #at: number;
  #opening: number | undefined;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(path: string, opened: FromWhere & { handle: FileHandle; id: string }, mark: SyncedMark) {
    this.path = path;
    this.#handle = opened.handle;
    this.#id = opened.id;
    this.named = opened.named;
    this.#ended = opened.named !== undefined;
    this.#at = opened.at;
    this.#mark = mark;
  }

  /** @throws the file system's error; ENOENT when it is not there (any more) */
  static async open(path: string, { named, at }: FromWhere, mark: SyncedMark): Promise<FollowedFile> {
    const handle = await open(path, 'r');
    try {
      const { id } = identify(await handle.stat({ bigint: true }));
      return new FollowedFile(path, { handle, id, named, at }, mark);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Nothing is read beyond what is on stable storage. @throws the file system's error */
  async next(): Promise<ReadPiece> {
    // Asked first: what is written between the question and the look at its size is then read, not lost.
    const ended = this.#ended || (await this.#isLeft());
    const synced = this.#mark.of(this.#id);
    if (!ended) this.#noteOpening(synced?.opening);
    const limit = ended ? (await this.#handle.stat()).size : (synced?.bytes ?? 0);
    const from = this.#at + this.#rest.length;
    if (limit <= from) return { lines: [], more: false, end: ended, torn: ended ? this.#drop() : 0 };
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, limit - from));
    const { bytesRead } = await this.#handle.read(piece, 0, piece.length, from);
    const bytes =
      this.#rest.length === 0
        ? piece.subarray(0, bytesRead)
        : Buffer.concat([this.#rest, piece.subarray(0, bytesRead)]);
    const lines = this.#lines(bytes);
    const torn = this.#rest.length > MAX_LINE_CHARS ? this.#drop() : 0;
    return { lines, more: bytesRead > 0, end: false, torn };
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #lines(bytes: Buffer): readonly PlacedLine[] {
    const lines: PlacedLine[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      // Records are ASCII.
      if (end > start) lines.push({ line: bytes.toString('latin1', start, end), at: this.#at + start });
      start = end + 1;
    }
    this.#at += start;
    // A copy: the piece itself is not kept alive by its last bytes.
    this.#rest = Buffer.from(bytes.subarray(start));
    return lines;
  }

  #drop(): number {
    const dropped = this.#rest.length;
    this.#at += dropped;
    this.#rest = Buffer.alloc(0);
    return dropped;
  }

  /** Opened again under us: somebody had emptied it in place. The numbers of its records say what is missing. */
  #noteOpening(opening: number | undefined): void {
    if (opening === undefined) return;
    if (this.#opening !== undefined && this.#opening !== opening) {
      this.#drop();
      this.#at = 0;
    }
    this.#opening = opening;
  }

  /** Renamed, removed or replaced: nothing is written to it any more. */
  async #isLeft(): Promise<boolean> {
    if (this.#mark.of(this.#id) !== undefined) return false;
    const now = await stat(this.path, { bigint: true }).catch(() => undefined);
    this.#ended = now === undefined || identify(now).id !== this.#id;
    return this.#ended;
  }
}

/** The number of a file's first record; undefined when it has none, or is not there. */
export async function firstSequence(path: string): Promise<number | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const bytes = Buffer.allocUnsafe(FIRST_LINE_BYTES);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    const end = bytes.subarray(0, bytesRead).indexOf(NEWLINE);
    return end === -1 ? undefined : lineFacts(bytes.toString('latin1', 0, end))?.sequence;
  } catch {
    return undefined;
  } finally {
    await handle?.close();
  }
}
