/** `sallyport audit tail`: the record as it is written. */

import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import { createSearch } from '../audit/search.ts';
import { auditFile, queryOf, unreadable, type AuditFilters, type RecordFile } from './audit-query.ts';
import { rowsOf } from './audit-rows.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';

export type AuditTailOptions = AuditFilters & RecordFile & { readonly json: boolean };

const POLL_MS = 250;
const MAX_READ_BYTES = 1024 * 1024;

/**
 * Follows the file from its end until `signal` says so. The open file is followed, not its name: when it is rotated away it
 * is read to its end first, and then the new one from its beginning.
 */
export async function auditTail(
  context: CommandContext,
  options: AuditTailOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { terminal } = context;
  const file = auditFile(context, options);
  const search = createSearch(queryOf(options, Date.now()));
  let handle = await openFile(file);
  let at = (await handle.stat()).size;
  let rest = '';
  terminal.err(terminal.dim(`Following ${file}. Ctrl-C ends it.`));
  try {
    while (!signal.aborted) {
      const replaced = await isReplaced(file, handle);
      if ((await handle.stat()).size < at) at = 0;
      for (let bytes = await textFrom(handle, at); bytes.length > 0; bytes = await textFrom(handle, at)) {
        at += bytes.length;
        const lines = (rest + bytes).split('\n');
        rest = lines.pop() ?? '';
        for (const { record, line } of lines.flatMap((one) => search.take(one))) {
          terminal.out(options.json ? line : rowsOf([record], terminal).join('\n'));
        }
      }
      if (replaced) {
        await handle.close();
        handle = await openFile(file);
        at = 0;
        rest = '';
      } else await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
    return EXIT.done;
  } finally {
    await handle.close();
  }
}

/** Another file stands under the name now, or this one begins anew. Between a rotation and its new file, neither. */
async function isReplaced(file: string, handle: FileHandle): Promise<boolean> {
  const named = await stat(file).catch(() => undefined);
  if (named === undefined) return false;
  const { ino, dev } = await handle.stat();
  return named.ino !== ino || named.dev !== dev;
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Records are ASCII, so no character is ever cut in two, and a character is a byte. */
async function textFrom(handle: FileHandle, at: number): Promise<string> {
  const { size } = await handle.stat();
  const buffer = Buffer.alloc(Math.max(0, Math.min(size - at, MAX_READ_BYTES)));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
  return buffer.toString('latin1', 0, bytesRead);
}
