/** Which records a time range means: from the first to the last that has a time in it. A look, and no proof. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import { segmentsOf } from './segments.ts';
import type { VerifyRecordOptions } from './verify-record.ts';

/** Both stand in every record of ours, and cannot stand in a text of somebody else's, where quotes are escaped. */
const TIME = /"time":(\d{1,16})/;
const SEQUENCE = /"sequence":(\d{1,16})/;

/** The end of the range is excluded. Undefined when no record is in it. @throws the file system's error */
export async function numbersOfTime(
  of: VerifyRecordOptions['of'],
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
): Promise<{ readonly from: number; readonly to: number } | undefined> {
  const files = 'files' in of ? of.files : (await segmentsOf(of.record)).map(({ path }) => path);
  let from = Infinity;
  let to = 0;
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file, 'latin1') })) {
      const timeMs = Number(TIME.exec(line)?.[1]);
      const sequence = Number(SEQUENCE.exec(line)?.[1]);
      if (!(timeMs >= sinceMs && timeMs < untilMs) || Number.isNaN(sequence)) continue;
      from = Math.min(from, sequence);
      to = Math.max(to, sequence);
    }
  }
  return to === 0 ? undefined : { from, to };
}
