/** Looks once an hour, and after each rotation, whether old files of the record are to be deleted. */

import { retireSegments, type RetentionOptions } from './segment-retention.ts';

export interface SegmentKeeper {
  /** Soon: not while somebody waits for it. */
  look(): void;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 3_600_000;

export function createSegmentKeeper(options: RetentionOptions): SegmentKeeper {
  let queue: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const look = (): void => {
    if (waiting > 1) return;
    waiting++;
    queue = queue
      .then(() => retireSegments(options))
      .catch((err: unknown) => options.logger.error({ file: options.path, err }, FAILED))
      .finally(() => waiting--);
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  look();
  return {
    look,
    async close() {
      clearInterval(timer);
      await queue;
    },
  };
}

const FAILED =
  'old files of the audit record could not be deleted: they are kept, and it is tried again within the hour. Check the permissions of its folder';
