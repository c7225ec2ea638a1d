/** `sallyport trace`: everything that the record knows of one request, found by its id. */

import { recordLines } from '../audit/record-lines.ts';
import { listOf, objectOf, parseRecord, textOf } from '../audit/told-record.ts';
import type { JsonObject } from '../model/json.ts';
import { auditFile, unreadable, type RecordFile } from './audit-query.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { printStory } from './trace-story.ts';

export type TraceOptions = RecordFile & { readonly id: string; readonly json: boolean };

/** A request leaves a handful of records; more are of somebody who writes ids of others into files. */
const MAX_RECORDS = 1000;

export async function trace(context: CommandContext, options: TraceOptions): Promise<ExitCode> {
  const { terminal } = context;
  const { id, json } = options;
  const file = auditFile(context, options);
  const { found, restarted } = await recordsOf(id, file);
  if (found.length === 0) throw notThere(id, file);
  const approvalId = found.map(approvalOf).find((approval) => approval !== '');
  const words = approvalId === undefined ? [] : await approvalRecords(approvalId, id, file);
  const all = [...words, ...found];
  if (json) for (const { line } of all) terminal.out(line);
  else printStory({ id, records: all.map(({ record }) => record), restarted }, terminal);
  return EXIT.done;
}

type Read = { readonly record: JsonObject; readonly line: string };

/** `restarted`: another writer has begun since the newest of them, so that nothing can follow any more. */
async function recordsOf(id: string, file: string): Promise<{ readonly found: Read[]; readonly restarted: boolean }> {
  const found: Read[] = [];
  let restarted = false;
  // As it stands in a record: whoever types something else gets nothing, and no pattern.
  const written = JSON.stringify(id);
  await eachRecord(
    file,
    (line) => line.includes(written) || line.includes('"event":"opened"'),
    (read) => {
      const { record } = read;
      if (textOf(objectOf(record.unmapped).event) === 'opened') restarted = found.length > 0;
      else if (isOf(id, record) && found.length < MAX_RECORDS) {
        found.push(read);
        restarted = false;
      }
    },
  );
  return { found, restarted };
}

/** What was said to its approval, where another request had asked for it: a client asks, and calls again later. */
async function approvalRecords(approvalId: string, id: string, file: string): Promise<readonly Read[]> {
  const words: Read[] = [];
  const written = JSON.stringify(approvalId);
  await eachRecord(
    file,
    (line) => line.includes(written),
    (read) => {
      const isWord = textOf(objectOf(read.record.unmapped).event) === 'approval';
      if (isWord && approvalOf(read) === approvalId && !isOf(id, read.record) && words.length < MAX_RECORDS)
        words.push(read);
    },
  );
  return words;
}

async function eachRecord(file: string, mayBe: (line: string) => boolean, take: (read: Read) => void): Promise<void> {
  try {
    for await (const line of recordLines(file)) {
      if (!mayBe(line)) continue;
      const record = parseRecord(line);
      if (record !== undefined) take({ record, line });
    }
  } catch (error) {
    throw unreadable(file, error);
  }
}

function isOf(id: string, record: JsonObject): boolean {
  const { request } = objectOf(record.api);
  return textOf(objectOf(record.metadata).correlation_uid) === id || textOf(objectOf(request).uid) === id;
}

/** An administrative act names an approval that it is about; a call, the one that it was made on. */
function approvalOf({ record }: Read): string {
  const { approval } = objectOf(record.unmapped);
  const isAct = listOf(record.resources).length === 0;
  return isAct ? '' : textOf(objectOf(approval).id);
}

function notThere(id: string, file: string): CommandError {
  const hint =
    `An id stands in an error message (requestId), in a log line, and in: ${TYPED} audit search --since 1h --ids\n` +
    'If it is right, another replica has the record, or it is older than the oldest file that was kept (--file).';
  return new CommandError(`${file} has no record of the request ${JSON.stringify(id)}.`, EXIT.failed, hint);
}
