/** A batch as the bytes of one request, a few records at a time: a megabyte at once would hold calls up for milliseconds. */

import { setImmediate as yieldNow } from 'node:timers/promises';

import type { FollowedRecord } from './followed-record.ts';

/** Twenty microseconds each, where a record has to be looked into. */
const AT_ONCE = 32;

export type BatchText = {
  readonly before: string;
  readonly each: (record: FollowedRecord) => string;
  readonly between: string;
  readonly after: string;
};

export async function encodeBatch(records: readonly FollowedRecord[], text: BatchText): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let from = 0; from < records.length; from += AT_ONCE) {
    const some = records.slice(from, from + AT_ONCE).map((record) => text.each(record));
    const opening = from === 0 ? text.before : text.between;
    pieces.push(Buffer.from(opening + some.join(text.between), 'utf8'));
    await yieldNow();
  }
  pieces.push(Buffer.from(text.after, 'utf8'));
  return Buffer.concat(pieces);
}
