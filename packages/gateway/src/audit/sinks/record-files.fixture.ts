/** A record written by hand, step by step: what follows it is tested at every one of them. */

import { rename } from 'node:fs/promises';
import path from 'node:path';

import { openAppendFile } from '../append-file.ts';
import type { AppendFile } from '../batch-writer.ts';
import { createChain, type Chain } from '../chain.ts';
import { lifecycleRecord } from '../lifecycle-record.ts';
import { intentRecord, outcomeRecord, recordContext, type Position } from '../record.ts';
import { segmentPath } from '../segments.ts';
import { authorized, outcome } from '../testing.ts';
import { SyncedMark } from './synced-mark.ts';

export const CONTEXT = recordContext('1.2.3');

export class RecordFiles {
  readonly file: string;
  readonly mark: SyncedMark;
  readonly #chain: Chain;
  #open: AppendFile | undefined;
  /** Of the first record in the file that is written to. */
  #first = 1;
  #last = 0;

  constructor(folder: string, chainUid = 'c1') {
    this.file = path.join(folder, 'audit.jsonl');
    this.mark = new SyncedMark(this.file);
    this.#chain = createChain({ chainUid, authority: 'test-host' });
  }

  async open(): Promise<this> {
    this.#open = await this.mark.watching(openAppendFile)(this.file);
    return this;
  }

  line(build?: (at: Position) => readonly string[]): Buffer {
    const made = this.#chain.append(build ?? ((at) => outcomeRecord(outcome(`r-${at.sequence}`), at, CONTEXT)));
    this.#last = made.sequence;
    return made.line;
  }

  outcome(more: Parameters<typeof outcome>[1] = {}): Buffer {
    return this.line((at) => outcomeRecord(outcome(`r-${at.sequence}`, more), at, CONTEXT));
  }

  intent(id: string): Buffer {
    return this.line((at) => intentRecord(authorized(id, false), at, CONTEXT));
  }

  opened(timeMs: number): Buffer {
    return this.line((at) => lifecycleRecord({ event: 'opened', timeMs, facts: { pid: 1 } }, at, CONTEXT));
  }

  async write(...bytes: readonly Buffer[]): Promise<void> {
    for (const piece of bytes) await this.#opened().write(piece);
  }

  sync(): Promise<void> {
    return this.#opened().sync();
  }

  /** So many records, on stable storage. */
  async records(count: number): Promise<void> {
    await this.write(Buffer.concat(Array.from({ length: count }, () => this.line())));
    await this.sync();
  }

  /** As the writer does it: synced, renamed, begun again. */
  async rotate(): Promise<string> {
    await this.sync();
    const old = this.#opened();
    const segment = segmentPath(this.file, this.#first);
    await rename(this.file, segment);
    this.#first = this.#last + 1;
    await this.open();
    await old.close();
    return segment;
  }

  async close(): Promise<void> {
    await this.#open?.close();
  }

  #opened(): AppendFile {
    if (this.#open === undefined) throw new Error('not open');
    return this.#open;
  }
}
