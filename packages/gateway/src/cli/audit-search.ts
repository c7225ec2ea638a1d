/** `sallyport audit search` and `audit tail`: what did they do, and why; from the record, in a minute. */

import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

import { createSearch, INTERRUPTED } from '../audit/search.ts';
import type { AuditQuery, Found } from '../audit/search.ts';
import type { ToldRecord } from '../audit/told-record.ts';
import { loadConfig } from '../config/load.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { pastInstant } from './past-instant.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type AuditFilters = {
  readonly who?: string;
  readonly tool?: string;
  readonly server?: string;
  readonly since?: string;
  readonly until?: string;
  readonly decision?: string;
  readonly outcome?: string;
  readonly request?: string;
  readonly text?: string;
};

export type AuditSearchOptions = AuditFilters & {
  /** Default: the audit file of the configuration. */
  readonly file?: string;
  readonly config: string;
  readonly limit: string;
  readonly json: boolean;
};

export async function auditSearch(context: CommandContext, options: AuditSearchOptions): Promise<ExitCode> {
  const { terminal } = context;
  const file = auditFile(context, options);
  const limit = limitOf(options.limit);
  const search = createSearch(queryOf(options, Date.now()));
  let matched = 0;
  const newest: Found[] = [];
  const keep = (found: readonly Found[]): void => {
    matched += found.length;
    newest.push(...found);
    if (newest.length > 2 * limit) newest.splice(0, newest.length - limit);
  };
  try {
    for await (const line of createInterface({ input: createReadStream(file) })) keep(search.take(line));
  } catch (error) {
    throw unreadable(file, error);
  }
  keep(search.end());
  const shown = newest.slice(-limit);
  if (options.json) for (const { line } of shown) terminal.out(line);
  else print(shown, terminal);
  if (search.unreadable > 0) {
    terminal.err(terminal.yellow(`${search.unreadable} lines are no records. Type: ${TYPED} audit verify ${file}`));
  }
  if (options.json) return EXIT.done;
  if (shown.length > 0) terminal.err('');
  const cut = matched > shown.length ? `, the newest ${shown.length} shown (--limit)` : '';
  terminal.err(terminal.dim(`${matched} of ${search.read} records match${cut}. The whole records: --json.`));
  return EXIT.done;
}

export type AuditTailOptions = AuditFilters & Pick<AuditSearchOptions, 'file' | 'config' | 'json'>;

const POLL_MS = 250;

/** Follows the file from its end until `signal` says so; a file that was replaced is read from its beginning. */
export async function auditTail(
  context: CommandContext,
  options: AuditTailOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { terminal } = context;
  const file = auditFile(context, options);
  const search = createSearch(queryOf(options, Date.now()));
  let at = await stat(file).then(
    ({ size }) => size,
    (error: unknown) => {
      throw unreadable(file, error);
    },
  );
  terminal.err(terminal.dim(`Following ${file}. Ctrl-C ends it.`));
  let rest = '';
  while (!signal.aborted) {
    const { text, next } = await textFrom(file, at);
    if (next < at) rest = '';
    at = next;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const { record, line } of lines.flatMap((one) => search.take(one))) {
      terminal.out(options.json ? line : rowsOf([record], terminal).join('\n'));
    }
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  return EXIT.done;
}

const MAX_READ_BYTES = 1024 * 1024;

async function textFrom(file: string, from: number): Promise<{ text: string; next: number }> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw unreadable(file, error);
  });
  try {
    const { size } = await handle.stat();
    const start = size < from ? 0 : from;
    const buffer = Buffer.alloc(Math.min(size - start, MAX_READ_BYTES));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
    // Records are ASCII, so no character is ever cut in two.
    return { text: buffer.toString('latin1', 0, bytesRead), next: start + bytesRead };
  } finally {
    await handle.close();
  }
}

function print(found: readonly Found[], terminal: Terminal): void {
  if (found.length === 0) return;
  for (const line of rowsOf(
    found.map(({ record }) => record),
    terminal,
    true,
  ))
    terminal.out(line);
}

const HEAD = ['time', 'who', 'what', 'outcome', 'ms', 'because of'];

function rowsOf(records: readonly ToldRecord[], terminal: Terminal, withHead = false): string[] {
  const rows = records.map((record) => [
    new Date(record.timeMs).toISOString().replace('T', ' ').replace('Z', ''),
    record.tenant === '' || record.tenant === 'default' ? record.who : `${record.who} (${record.tenant})`,
    record.operation === '' ? `audit file ${record.event}` : `${record.operation} ${record.target}`,
    record.count === 1 ? record.outcome : `${record.outcome} (${record.count} times)`,
    record.durationMs === undefined ? '' : String(record.durationMs),
    record.policies.join(', '),
  ]);
  const lines = table(withHead ? [HEAD, ...rows] : rows);
  return lines.map((line, index) => {
    const record = records[withHead ? index - 1 : index];
    if (record === undefined) return terminal.dim(line);
    if (record.outcome === INTERRUPTED) return terminal.yellow(line);
    return record.result === 'refused' || record.result === 'failed' ? terminal.red(line) : line;
  });
}

function auditFile(context: CommandContext, { file, config }: Pick<AuditSearchOptions, 'file' | 'config'>): string {
  if (file !== undefined) return file;
  const loaded = loadConfig(config, { env: context.env });
  if (loaded.ok) return loaded.value.config.audit.file;
  const hint = `Name it: ${TYPED} audit search data/audit.jsonl`;
  throw new CommandError(`${config} cannot be used, so the audit file is not known.`, EXIT.failed, hint);
}

/** @throws CommandError for what cannot be understood. */
function queryOf(filters: AuditFilters, nowMs: number): AuditQuery {
  const { who, tool, server, since, until, decision, outcome, request, text } = filters;
  if (decision !== undefined && decision !== 'allowed' && decision !== 'denied') {
    throw new CommandError(`There is no decision "${decision}".`, EXIT.usage, 'A decision is allowed or denied.');
  }
  return {
    ...(who === undefined ? {} : { who }),
    ...(tool === undefined ? {} : { tool }),
    ...(server === undefined ? {} : { server }),
    ...(since === undefined ? {} : { sinceMs: pastInstant(since, nowMs) }),
    ...(until === undefined ? {} : { untilMs: pastInstant(until, nowMs) }),
    ...(decision === undefined ? {} : { decision }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(request === undefined ? {} : { request }),
    ...(text === undefined ? {} : { text }),
  };
}

const MAX_LIMIT = 100_000;

function limitOf(text: string): number {
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new CommandError(`"${text}" is no limit.`, EXIT.usage, `A limit is a number from 1 to ${MAX_LIMIT}.`);
}

function unreadable(file: string, error: unknown): CommandError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const message = code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${code}).`;
  const hint = `The audit file stands under "audit" in the configuration. Name it: ${TYPED} audit search <file>`;
  return new CommandError(message, EXIT.failed, hint, error);
}
