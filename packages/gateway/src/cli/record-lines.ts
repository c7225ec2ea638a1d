/** All lines of a record, through its rotated files, oldest first. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import { segmentsOf } from '../audit/segments.ts';
import { CommandError, TYPED } from './command.ts';
import { EXIT } from './exit-code.ts';

/** @throws CommandError when a file cannot be read; the newest may be missing as long as there are others. */
export async function* recordLines(file: string): AsyncGenerator<string> {
  const segments = await segmentsOf(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  for (const segment of segments) {
    try {
      for await (const line of createInterface({ input: createReadStream(segment.path) })) if (line !== '') yield line;
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isMissing || segments.length === 1) throw unreadable(segment.path, error);
    }
  }
}

function unreadable(file: string, error: unknown): CommandError {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const hint = `The record's file stands under "audit" in the configuration. Prove it: ${TYPED} audit verify ${file}`;
  return new CommandError(`${file} cannot be read (${reason}).`, EXIT.failed, hint, error);
}
