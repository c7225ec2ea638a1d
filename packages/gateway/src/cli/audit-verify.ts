/** `sallyport audit verify`: proves the record, or a range of it, offline and with no key but the public one. */

import { existsSync } from 'node:fs';

import { checkpointsPath, readCheckpoints } from '../audit/checkpoint-file.ts';
import { parseCheckpoint } from '../audit/checkpoint.ts';
import { isSegmentPath } from '../audit/segments.ts';
import { publicKeyPath } from '../audit/signing-key.ts';
import { numbersOfTime } from '../audit/time-range.ts';
import { verifyRecord, type CheckpointSource, type VerifyRecordOptions } from '../audit/verify-record.ts';
import { configuredAudit, publicKeyBeside, publicKeys, readText, unreadable } from './audit-files.ts';
import { createProgress } from './audit-progress.ts';
import { verificationJson, verificationLines } from './audit-report.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { pastInstant } from './past-instant.ts';

export type AuditVerifyOptions = {
  readonly files: readonly string[];
  readonly config: string;
  readonly since?: string;
  readonly until?: string;
  readonly fromSequence?: string;
  readonly toSequence?: string;
  /** Files, or the checkpoints themselves. */
  readonly checkpoint: readonly string[];
  readonly publicKey: readonly string[];
  readonly anyStart: boolean;
  readonly json: boolean;
};

export async function auditVerify(context: CommandContext, options: AuditVerifyOptions): Promise<ExitCode> {
  const { terminal } = context;
  const { of, keyFile, record } = whatToVerify(context, options);
  const keys = await publicKeys(options.publicKey, keyFile);
  const beside = record === undefined ? { sources: [], unreadable: [] } : await checkpointsBeside(record);
  const kept = await keptCheckpoints(options.checkpoint);
  const range = await rangeOf(options, of);
  const progress = createProgress(terminal);
  const verification = await verifyRecord({
    of,
    keys,
    checkpoints: [...beside.sources, ...kept],
    anyStart: options.anyStart || 'files' in of,
    ...range,
    onProgress: progress.show,
  }).catch((error: unknown) => {
    throw unreadable(record ?? 'A file', error);
  });
  progress.end();
  const told = { verification, keys: keys.length, unreadable: beside.unreadable, kept: kept.length };
  if (options.json) terminal.out(verificationJson(told));
  else for (const line of verificationLines(told, terminal)) terminal.out(line);
  return verification.ok && beside.unreadable.length === 0 ? EXIT.done : EXIT.failed;
}

type What = {
  readonly of: VerifyRecordOptions['of'];
  /** Where its public key is found by default. */
  readonly keyFile: string | undefined;
  /** The path whose checkpoints lie beside it. */
  readonly record: string | undefined;
};

/** One file that is the newest of a record stands for all of it; segments, and several files, are what they are. */
function whatToVerify(context: CommandContext, { files, config }: AuditVerifyOptions): What {
  const [file] = files;
  if (file === undefined) {
    const audit = configuredAudit(context, config);
    const keyFile = audit.checkpoints === undefined ? undefined : publicKeyPath(audit.checkpoints.keyFile);
    return { of: { record: audit.file }, keyFile, record: audit.file };
  }
  if (files.length === 1 && !isSegmentPath(file)) {
    return { of: { record: file }, keyFile: publicKeyBeside(file), record: file };
  }
  return { of: { files }, keyFile: publicKeyBeside(file), record: undefined };
}

async function checkpointsBeside(
  record: string,
): Promise<{ sources: CheckpointSource[]; unreadable: readonly number[] }> {
  const file = checkpointsPath(record);
  if (!existsSync(file)) return { sources: [], unreadable: [] };
  const { checkpoints, unreadable: lines } = await readCheckpoints(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  return { sources: checkpoints.map((checkpoint) => ({ checkpoint, from: 'beside' })), unreadable: lines };
}

/** What somebody kept: the line itself, or a file of such lines, however a mail has broken them. */
async function keptCheckpoints(named: readonly string[]): Promise<CheckpointSource[]> {
  const found: CheckpointSource[] = [];
  for (const text of named) {
    const content = text.trimStart().startsWith('{') ? text : await readText(text);
    const one = parseCheckpoint(content);
    const all = one === undefined ? content.split('\n').filter((line) => line.trim() !== '') : [];
    const parsed = one === undefined ? all.map(parseCheckpoint) : [one];
    if (parsed.length === 0 || parsed.includes(undefined)) {
      const hint = 'A checkpoint is what "audit checkpoint" prints, in a file or as it is between single quotes.';
      throw new CommandError('What --checkpoint names is no checkpoint.', EXIT.usage, hint);
    }
    for (const checkpoint of parsed) if (checkpoint !== undefined) found.push({ checkpoint, from: 'kept' });
  }
  return found;
}

type Range = Pick<VerifyRecordOptions, 'from' | 'to'>;

async function rangeOf(options: AuditVerifyOptions, of: VerifyRecordOptions['of']): Promise<Range> {
  const { since, until, fromSequence, toSequence } = options;
  const byNumber = fromSequence !== undefined || toSequence !== undefined;
  if (byNumber && (since !== undefined || until !== undefined)) {
    throw new CommandError('A range is of times or of numbers, not of both.', EXIT.usage);
  }
  if (since !== undefined || until !== undefined) {
    const nowMs = Date.now();
    const sinceMs = since === undefined ? 0 : pastInstant(since, nowMs);
    const untilMs = until === undefined ? Infinity : pastInstant(until, nowMs);
    const numbers = await numbersOfTime(of, { sinceMs, untilMs });
    if (numbers === undefined) throw new CommandError('There is no record of that time.', EXIT.failed);
    return numbers;
  }
  return {
    ...(fromSequence !== undefined && { from: numberOf(fromSequence) }),
    ...(toSequence !== undefined && { to: numberOf(toSequence) }),
  };
}

function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new CommandError(`"${text}" is no number of a record.`, EXIT.usage, 'Records are numbered from 1.');
}
