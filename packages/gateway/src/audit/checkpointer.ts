/**
 * When checkpoints are made: every so many records or minutes, at a rotation, and at the end. Only of what is on stable
 * storage: a checkpoint of a record that a power loss then takes would accuse somebody of cutting it off.
 */

import type { Logger } from '../telemetry/logger.ts';
import type { ChainTail } from './chain.ts';
import { checkpointsPath, openCheckpointFile, readCheckpoints, type CheckpointFile } from './checkpoint-file.ts';
import { signCheckpoint, type Checkpoint } from './checkpoint.ts';
import type { SigningKey } from './signing-key.ts';

export type CheckpointOptions = {
  readonly key: SigningKey;
  readonly everyRecords: number;
  readonly everyMs: number;
  /** Of every one, once it is on disk: to be shipped elsewhere. Must not throw. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
};

export type CheckpointerOptions = CheckpointOptions & {
  /** The record's. */
  readonly path: string;
  readonly authority: string;
  readonly now: () => number;
  readonly logger: Logger;
  /** Resolves with the newest record once it is on stable storage. @throws when it cannot be */
  readonly durableTail: () => Promise<ChainTail | undefined>;
};

export interface Checkpointer {
  /** A record was queued: the chain is there now. */
  reached(sequence: number): void;
  /** The end of a file that is on stable storage, and will not grow. */
  sealed(end: ChainTail): void;
  /** The newest one. */
  newest(): Checkpoint | undefined;
  /** Ends the timer, makes the last one, and closes the file; the record must be durable. */
  close(end: ChainTail | undefined): Promise<void>;
}

/** @throws the file system's error */
export async function createCheckpointer(options: CheckpointerOptions): Promise<Checkpointer> {
  const file = checkpointsPath(options.path);
  const { checkpoints } = await readCheckpoints(file);
  return new TimedCheckpointer(options, await openCheckpointFile(file), checkpoints.at(-1));
}

class TimedCheckpointer implements Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #file: CheckpointFile;
  readonly #timer: NodeJS.Timeout;
  #newest: Checkpoint | undefined;
  #reached = 0;
  /** What the checkpoint that is being made will cover at least. */
  #asked: number;
  /** One after the other, in the order of the chain. */
  #queue: Promise<void> = Promise.resolve();
  #isMaking = false;
  #isFailing = false;

  constructor(options: CheckpointerOptions, file: CheckpointFile, newest: Checkpoint | undefined) {
    this.#options = options;
    this.#file = file;
    this.#newest = newest;
    this.#asked = newest?.sequence ?? 0;
    this.#timer = setInterval(() => this.#make(), options.everyMs);
    this.#timer.unref();
  }

  reached(sequence: number): void {
    this.#reached = sequence;
    if (sequence - this.#asked >= this.#options.everyRecords) this.#make();
  }

  sealed(end: ChainTail): void {
    this.#enqueue(() => this.#sign(end));
  }

  newest(): Checkpoint | undefined {
    return this.#newest;
  }

  async close(end: ChainTail | undefined): Promise<void> {
    clearInterval(this.#timer);
    if (end !== undefined) this.#enqueue(() => this.#sign(end));
    await this.#queue;
    await this.#file.close();
  }

  #make(): void {
    if (this.#isMaking || this.#reached <= (this.#newest?.sequence ?? 0)) return;
    this.#isMaking = true;
    this.#asked = this.#reached;
    this.#enqueue(async () => {
      this.#isMaking = false;
      const tail = await this.#options.durableTail();
      if (tail !== undefined) await this.#sign(tail);
    });
  }

  #enqueue(make: () => Promise<void>): void {
    this.#queue = this.#queue.then(() => this.#try(make));
  }

  async #try(make: () => Promise<void>): Promise<void> {
    try {
      await make();
      this.#isFailing = false;
    } catch (error) {
      this.#failed(error);
    }
  }

  async #sign(tail: ChainTail): Promise<void> {
    // A file's end may be older than the newest checkpoint: it is what the next file begins at, and is kept all the same.
    if (this.#newest?.sequence === tail.sequence) return;
    const { authority, now, key, onCheckpoint } = this.#options;
    const checkpoint = signCheckpoint({ tail, authority, timeMs: now() }, key);
    await this.#file.append(checkpoint);
    if (tail.sequence > (this.#newest?.sequence ?? 0)) this.#newest = checkpoint;
    onCheckpoint?.(checkpoint);
  }

  /** The record itself is what calls depend on; without checkpoints it is as provable as it was without them. */
  #failed(error: unknown): void {
    if (!this.#isFailing) this.#options.logger.error({ file: checkpointsPath(this.#options.path), err: error }, FAILED);
    this.#isFailing = true;
  }
}

const FAILED =
  'no checkpoint of the audit record could be made: a truncation could be shown only up to the one before. Check the disk; the next one is tried in its time';
