/** Records that a sink refused for good, in a file beside the record: with the reason, to be looked at and sent by hand. */

import { open } from 'node:fs/promises';

import { asciiJson } from '../ascii-json.ts';
import { DeliveryError } from './audit-sink.ts';
import type { FollowedRecord } from './followed-record.ts';

export interface SetAside {
  /** Durable when it resolves. @throws DeliveryError when the file is full, or the file system's error */
  record(record: FollowedRecord, reason: string): Promise<void>;
  /** Of these the sink refused some without saying which: the record of them is in the audit file. */
  some(
    records: readonly FollowedRecord[],
    refused: { readonly rejected: number; readonly reason: string },
  ): Promise<void>;
}

/** As much as a person ever looks through; then the sink waits instead. */
const MAX_BYTES = 64 * 1024 * 1024;

export function createSetAside(path: string, now: () => number, maxBytes = MAX_BYTES): SetAside {
  const append = async (text: string): Promise<void> => {
    const file = await open(path, 'a', 0o600);
    try {
      if ((await file.stat()).size + text.length > maxBytes) {
        throw new DeliveryError(`${path} is full: look at the refused records in it, then move it away`);
      }
      await file.appendFile(text, 'latin1');
      await file.datasync();
    } finally {
      await file.close();
    }
  };
  return {
    record({ line, position }, reason) {
      const { sequence, uid } = position;
      const facts = asciiJson({ time: now(), reason, sequence, uid });
      return append(`${facts.slice(0, -1)},"record":${line}}\n`);
    },
    some(records, { rejected, reason }) {
      const [first, last] = [records[0]?.position, records.at(-1)?.position];
      const among = { first: first?.uid ?? '', last: last?.uid ?? '', records: records.length };
      return append(`${asciiJson({ time: now(), reason, rejected, among })}\n`);
    },
  };
}
