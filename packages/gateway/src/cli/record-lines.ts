/** The lines of a record for a command: what cannot be read is said to a person. */

import { recordLines as linesOf } from '../audit/record-lines.ts';
import { unreadable } from './audit-query.ts';

/** Oldest first, safe under rotation. @throws CommandError */
export async function* recordLines(file: string): AsyncGenerator<string> {
  try {
    for await (const line of linesOf(file)) if (line !== '') yield line;
  } catch (error) {
    throw unreadable(file, error);
  }
}
