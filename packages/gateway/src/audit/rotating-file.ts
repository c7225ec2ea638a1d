/**
 * The file that is written to, which becomes a segment of its own when it is large or old enough: synced, renamed after its
 * first record, its name synced, a new file begun. The chain does not notice. Whatever stops this in between leaves files
 * from which the next start goes on; whatever fails in between leaves a file that takes records as before.
 *
 * It also looks whether its file is still the one at its path: log rotation of the system, an editor or a person may have
 * moved, replaced or emptied it, and records would go where nobody looks for them.
 */

import { dirname } from 'node:path';

import type { AuditFiles } from './append-file.ts';
import type { AppendFile } from './batch-writer.ts';
import { readLine, type ChainTail } from './chain.ts';
import { readFirstLine } from './file-tail.ts';
import { createLineTracker, type LineTracker } from './line-tracker.ts';
import { segmentPath } from './segments.ts';

/** `Infinity` for never. */
export type RotateRule = { readonly maxBytes: number; readonly maxAgeMs: number };

export type RotatedSegment = {
  readonly path: string;
  readonly first: number;
  readonly last: ChainTail;
  readonly bytes: number;
};

export type FileTrouble =
  /** Rotation did not work; records go on in the file as it is. */
  | { readonly kind: 'not-rotated'; readonly error: unknown }
  /** The file was taken away under the writer, by somebody else. */
  | {
      readonly kind: 'removed' | 'replaced' | 'emptied';
      /** The newest record that went into the file that was taken away. */
      readonly last: ChainTail | undefined;
      readonly first: number | undefined;
    };

export type RotatingFileOptions = {
  readonly path: string;
  readonly files: AuditFiles;
  readonly now: () => number;
  readonly rule: RotateRule;
  readonly onRotated: (segment: RotatedSegment) => void;
  readonly onTrouble: (trouble: FileTrouble) => void;
};

/** The open file, and what was in it: its first and its last line. */
export type OpenedFile = {
  readonly file: AppendFile;
  readonly id: string;
  readonly bytes: number;
  readonly first?: string;
  readonly last?: string;
};

/** After a rotation that failed: the file goes on growing meanwhile. */
const RETRY_ROTATION_MS = 30_000;
/** How often it is looked whether the file at the path is still ours: 30 us, with a sync that is made anyway. */
const LOOK_EVERY_MS = 1000;

export class RotatingFile implements AppendFile {
  readonly #options: RotatingFileOptions;
  #file: AppendFile;
  #id: string;
  #bytes: number;
  #lines: LineTracker;
  /** Its first record, and when the file was begun. */
  #begun: { readonly sequence: number; readonly timeMs: number } | undefined;
  /** Where the open file is, once it was renamed and the next one could not be opened. */
  #renamedTo: string | undefined;
  #retryAtMs = 0;
  #lookAtMs = 0;
  #taken: 'removed' | 'replaced' | 'emptied' | undefined;

  constructor(opened: OpenedFile, options: RotatingFileOptions) {
    this.#options = options;
    this.#file = opened.file;
    this.#id = opened.id;
    this.#bytes = opened.bytes;
    const { first, last } = opened;
    this.#lines = createLineTracker({ ...(first !== undefined && { first }), ...(last !== undefined && { last }) });
    const record = first === undefined ? undefined : readLine(first);
    if (record !== undefined) this.#begun = { sequence: record.sequence, timeMs: record.timeMs };
  }

  async write(bytes: Buffer): Promise<number> {
    if (this.#lines.atLineEnd) {
      // What is about to be renamed has to be what was written.
      if (this.#taken === undefined && this.#isDue() && !(await this.#isTaken())) await this.#rotate();
      if (this.#taken !== undefined) await this.#beginAgain();
    }
    const taken = await this.#file.write(bytes);
    this.#bytes += taken;
    this.#lines.take(bytes.subarray(0, taken));
    if (this.#begun === undefined) this.#noteBeginning();
    return taken;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
    if (performance.now() >= this.#lookAtMs) await this.#isTaken();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #noteBeginning(): void {
    const { first } = this.#lines;
    const record = first === undefined ? undefined : readLine(first);
    if (record !== undefined) this.#begun = { sequence: record.sequence, timeMs: this.#options.now() };
  }

  #isDue(): boolean {
    if (this.#begun === undefined) return false;
    const { rule, now } = this.#options;
    const due = this.#bytes >= rule.maxBytes || now() - this.#begun.timeMs >= rule.maxAgeMs;
    return (due || this.#renamedTo !== undefined) && performance.now() >= this.#retryAtMs;
  }

  /** Never throws: a record that cannot be rotated is still written. */
  async #rotate(): Promise<void> {
    const { path, files, onRotated, onTrouble } = this.#options;
    const begun = this.#begun;
    const last = this.#lastRecord();
    if (begun === undefined || last === undefined) return;
    try {
      await this.#file.sync();
      const segment = this.#renamedTo ?? segmentPath(path, begun.sequence);
      if (this.#renamedTo === undefined) await files.rename(path, segment);
      this.#renamedTo = segment;
      await files.syncFolder(dirname(path));
      const old = this.#file;
      const bytes = this.#bytes;
      await this.#begin();
      onRotated({ path: segment, first: begun.sequence, last, bytes });
      await old.close();
    } catch (error) {
      this.#retryAtMs = performance.now() + RETRY_ROTATION_MS;
      onTrouble({ kind: 'not-rotated', error });
    }
  }

  async #begin(): Promise<void> {
    const { path, files } = this.#options;
    this.#file = await files.open(path);
    this.#renamedTo = undefined;
    const found = await files.look(path);
    this.#id = found?.id ?? '';
    this.#bytes = 0;
    this.#lines = createLineTracker();
    this.#begun = undefined;
  }

  #lastRecord(): ChainTail | undefined {
    const { last } = this.#lines;
    const record = last === undefined ? undefined : readLine(last);
    if (record === undefined) return undefined;
    const { sequence, uid, fingerprint } = record;
    return { sequence, uid, fingerprint };
  }

  async #isTaken(): Promise<boolean> {
    this.#lookAtMs = performance.now() + LOOK_EVERY_MS;
    if (this.#renamedTo !== undefined || this.#taken !== undefined) return this.#taken !== undefined;
    const found = await this.#options.files.look(this.#options.path);
    if (found?.id === this.#id && found.bytes >= this.#bytes) return false;
    this.#taken = found === undefined ? 'removed' : found.id === this.#id ? 'emptied' : 'replaced';
    this.#options.onTrouble({ kind: this.#taken, last: this.#lastRecord(), first: this.#begun?.sequence });
    return true;
  }

  /** The chain goes on in a file of its own; what somebody put at the path is moved aside, not written to. */
  async #beginAgain(): Promise<void> {
    const { path, files, now } = this.#options;
    const found = await files.look(path);
    if (found !== undefined && found.bytes > 0) {
      // Of a file that was cut in place, what was written since is ours.
      const ours = this.#taken === 'emptied' ? readLine((await readFirstLine(path)) ?? '') : undefined;
      await files.rename(path, ours === undefined ? `${path}.found-${now()}` : segmentPath(path, ours.sequence));
    }
    const old = this.#file;
    await this.#begin();
    this.#taken = undefined;
    await old.close().catch(() => undefined);
  }
}
